import type { Signing } from '../../proto/gen/ferry/v1/credentials_pb.ts'
import { readSigningKey } from '../../runtime/signing-key.ts'
import type { Violation } from './violation.ts'

const right = 'a key of Standard Webhooks, such as whsec_ and what `openssl rand -base64 32` prints'

/** What is wrong with keys that are there as far as they can be opened. Nothing of a key is repeated. */
export function checkSigning(path: string, { keys }: Signing): Violation[] {
  return keys.flatMap(({ value }, at) => {
    const field = `${path}.keys[${at}]`
    // Missing, or not to be opened: that is said elsewhere.
    if (value === '') return []
    const same = keys.findIndex((each) => each.value === value)
    const problem = same < at ? `must differ from keys[${same}]: give it once` : problemOf(value)
    if (problem === undefined) return []
    return [{ field, description: `${field} must be ${right}: it ${problem}`, reason: 'SIGNING_KEY' as const }]
  })
}

function problemOf(key: string): string | undefined {
  try {
    readSigningKey(key)
    return undefined
  } catch (error) {
    return (error as Error).message
  }
}

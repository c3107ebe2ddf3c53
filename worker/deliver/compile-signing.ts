import type { Signing } from '../../proto/gen/ferry/v1/credentials_pb.ts'
import { readSigningKey } from '../../runtime/signing-key.ts'
import { MASK } from './constant-headers.ts'
import type { FinishRequest } from './finish-request.ts'
import { PlanError } from './plan-error.ts'
import { part } from './plan-values.ts'

/**
 * Signs by Standard Webhooks what is sent: the last thing that is done to a request. The id is the delivery's, so that a receiver that
 * remembers ids takes a repeat for what it is; the time is the attempt's, so that a late attempt is not refused as too old.
 */
export function compileSigning(field: string, signing: Signing | undefined): FinishRequest | undefined {
  if (signing === undefined) return undefined
  const keys = part(field, signing).keys.map((secret, at) => {
    const name = `${field}.keys[${at}]`
    try {
      return readSigningKey(part(name, secret).value)
    } catch (error) {
      if (error instanceof PlanError) throw error
      throw new PlanError('INVALID', name, (error as Error).message)
    }
  })
  if (keys.length === 0) throw new PlanError('MISSING', `${field}.keys`, 'is empty')
  return (headers, { uid, partition }, { offset }, body, nowMs) => {
    const id = `msg_${uid}_${partition}_${offset}`
    const timestamp = String(Math.floor(nowMs / 1000))
    headers.append('webhook-id', id)
    headers.append('webhook-timestamp', timestamp)
    headers.append('webhook-signature', keys.map((sign) => sign(id, timestamp, body)).join(' '), MASK)
    return body
  }
}

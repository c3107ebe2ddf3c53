import { SchemaPending } from '../../convert/decode/registry/schema-source.ts'
import type { Route } from '../deliver/route.ts'
import type { KafkaRecord } from '../source/kafka-record.ts'
import { TrialError } from './trial-error.ts'

const WAIT_MS = 20

/** Waits for the schema of a record's value, if it needs one of a registry. Rejects with a TrialError when the registry gives none. */
export async function awaitSchema({ decode }: Pick<Route, 'decode'>, { value }: KafkaRecord, signal: AbortSignal): Promise<void> {
  for (;;) {
    const pending = value === null ? undefined : pendingOf(decode, value)
    if (pending === undefined) return
    const trouble = pending.trouble()
    if (trouble !== undefined) throw new TrialError(trouble)
    signal.throwIfAborted()
    await new Promise((resolve) => setTimeout(resolve, WAIT_MS))
  }
}

function pendingOf(decode: Route['decode'], value: Buffer): SchemaPending | undefined {
  try {
    decode(value)
  } catch (error) {
    // What else is wrong is what the trial shows.
    if (error instanceof SchemaPending) return error
  }
  return undefined
}

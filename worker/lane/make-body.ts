import { bodyOf } from '../../convert/conversion.ts'
import { SchemaPending } from '../../convert/decode/registry/schema-source.ts'
import type { RecordSource } from '../../convert/source-record.ts'
import { Outcome, Reason } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import type { Plan } from '../deliver/plan.ts'
import type { Route } from '../deliver/route.ts'
import { failureReason } from './failure-reason.ts'
import type { Load } from './load.ts'
import { givenUpState } from './verdict.ts'

/**
 * Makes the body of a load's record; false when there is none to send: then the row says how its delivery ends, or that it is blocked.
 * What else it answers is the schema that it waits for, or a promise: then the body comes later, to carryBody().
 */
export function makeBody(
  load: Load,
  { conversion, decode, plan }: Route,
  source: RecordSource,
  nowMs: number,
): boolean | SchemaPending | Promise<Buffer> {
  const record = load.record!
  try {
    const body = conversion === undefined ? bodyOf(record, decode) : conversion.convert(record, source)
    if (body === 'FILTERED') return endUnsent(load, Outcome.SKIPPED, Reason.FILTERED, '', nowMs)
    if (body instanceof Promise) return body
    load.carry(body, nowMs)
    return true
  } catch (error) {
    return error instanceof SchemaPending ? error : failBody(load, plan, error, nowMs)
  }
}

/** Takes the body that came later, or the reason that there is none; false as above. */
export function carryBody(load: Load, plan: Plan, body: Buffer | Error, nowMs: number): boolean {
  try {
    if (body instanceof Error) throw body
    load.carry(body, nowMs)
    return true
  } catch (error) {
    return failBody(load, plan, error, nowMs)
  }
}

function failBody(load: Load, plan: Plan, error: unknown, nowMs: number): false {
  const text = error instanceof Error ? error.message : String(error)
  return endUnsent(load, givenUpState(plan) === undefined ? Outcome.FAILED : Outcome.RETRY, failureReason(error), text, nowMs)
}

/** Says in the row how a delivery ends without a request. */
export function endUnsent({ row }: Load, outcome: Outcome, reason: Reason, error: string, nowMs: number): false {
  // What waits may come here again: its rows are told apart by the attempt.
  if (outcome !== Outcome.RETRY) row.attempt = 0
  Object.assign(row, { item: 0, requestHeaders: [], sentMs: nowMs, latencyUs: 0, status: 0, responseBytes: 0 })
  Object.assign(row, { outcome, reason, error })
  return false
}

import { type LaneId, laneKey } from '../../runtime/lane-keys.ts'
import type { Plan } from './plan.ts'
import type { TraceContext } from './trace-context.ts'

// What Ferry says of itself with each request. Few headers: each costs 0.15 us.
//
// idempotency-key  {uid}/{cluster}/{topic}/{partition}/{offset}
//                  Names the delivery: the same at every attempt, in every round, from every worker. Who has taken it may answer
//                  success at once.
// ferry-use-case   {namespace}/{id}
// ferry-record     {topic}/{partition}/{offset}
// ferry-attempt    {epoch}.{round}.{attempt}
//                  The lane's epoch, 0 or the number of times that a retry batch opened the delivery again, and 1 for the first
//                  request of the round. With the use case's uid and the record it names this one request in the attempt log.
//                  After a crash or a timeout an earlier request may arrive late. A receiver that needs the order of a key keeps the
//                  highest offset that it has taken per key, and in round 0 refuses a lower one, WHATEVER its epoch: a new owner may
//                  repeat an older record under a higher epoch. In later rounds an operator has asked for the record again.
// traceparent      From the record's Kafka headers of these names, when they are valid.
// tracestate
//
// They are one flat array, [name, value, ...], which a request slot keeps for ever and fills anew for each request: first the three
// that differ with every record, then what is the same for the whole use case, then tracing.

const IDEMPOTENCY_KEY_AT = 1
const RECORD_AT = 3
const ATTEMPT_AT = 5

/** How many entries of the array differ from record to record. */
export const PER_RECORD_ENTRIES = 6

/** A lane's part of the texts, made once per epoch. */
export interface LaneHeaders {
  readonly keyPrefix: string
  readonly recordPrefix: string
  readonly epochPrefix: string
  /** `{epoch}.0.1`: nearly every request is a first attempt. */
  readonly firstAttempt: string
}

export function prepareLaneHeaders(lane: LaneId, epoch: number): LaneHeaders {
  return {
    keyPrefix: `${laneKey(lane)}/`,
    recordPrefix: `${lane.topic}/${lane.partition}/`,
    epochPrefix: `${epoch}.`,
    firstAttempt: `${epoch}.0.1`,
  }
}

/** The array of a request slot. From PER_RECORD_ENTRIES to its present length it never changes. */
export function createHeaderSlots(plan: Plan): string[] {
  const perRecord = ['idempotency-key', '', 'ferry-record', '', 'ferry-attempt', '']
  return [...perRecord, 'ferry-use-case', `${plan.namespace}/${plan.id}`, ...plan.headers]
}

/** Fills a slot's array for one request. `constantLength`: its length as createHeaderSlots made it. `offset` in decimal. */
export function fillHeaders(
  slots: string[],
  constantLength: number,
  lane: LaneHeaders,
  offset: string,
  round: number,
  attempt: number,
  trace: TraceContext | undefined,
): void {
  slots[IDEMPOTENCY_KEY_AT] = lane.keyPrefix + offset
  slots[RECORD_AT] = lane.recordPrefix + offset
  slots[ATTEMPT_AT] = round === 0 && attempt === 1 ? lane.firstAttempt : `${lane.epochPrefix}${round}.${attempt}`
  if (slots.length !== constantLength) slots.length = constantLength
  if (trace === undefined) return
  slots.push('traceparent', trace.traceparent)
  if (trace.tracestate !== undefined) slots.push('tracestate', trace.tracestate)
}

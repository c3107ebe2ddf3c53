import { Reason } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { readAnswerAction } from '../deliver/answer-action.ts'
import { classifyError } from '../deliver/classify.ts'
import { costsNoRetry } from '../deliver/costs-no-retry.ts'
import type { Flight } from '../deliver/flight.ts'
import type { Plan } from '../deliver/plan.ts'
import { responseHeader } from '../deliver/response-header.ts'
import { retryAfterMs } from '../deliver/retry-after.ts'
import {
  FINAL,
  PAUSING,
  RETRYABLE,
  SKIPPED,
  SUCCESS,
  speaksOfRecord,
  statusClass,
  statusReason,
} from '../deliver/status-class.ts'
import type { Attempt } from '../record/attempt.ts'
import type { Load } from './load.ts'
import type { Answer, Unsuccessful } from './verdict.ts'

// What came back, put into the attempt's row.
//
//   the flight                   | answer    | reason
//   has a status of success      | DELIVERED |
//   has a retryable status       | RETRYABLE | RETRYABLE_STATUS
//   has another status           | FINAL     | NON_RETRYABLE_STATUS
//   has a status that is skipped | SKIPPED   | STATUS_SKIPPED
//   has a status that pauses     | ABORTED   | STATUS_PAUSED
//   says itself what to do       | RETRYABLE, SKIPPED or FINAL | ANSWER
//   is 401 to an old token       | ABORTED   | TOKEN_REFUSED
//   took too long                | RETRYABLE | TIMEOUT
//   was ended for its lane       | ABORTED   | ABORTED
//   failed                       | RETRYABLE | by the error (classify.ts); ABORTED when Ferry itself held it back (costs-no-retry.ts)

/** A flight that has come back, as far as its lane asks. */
export type Landed<L> = Pick<
  Flight<L>,
  'load' | 'status' | 'error' | 'cut' | 'responseHeaders' | 'responseBody' | 'responseBytes' | 'sentAt' | 'endedAt'
>

export type Meaning = 'DELIVERED' | 'SKIPPED' | Answer

/** Writes the answer into the row; says what it means. nowMs: when it came, Unix ms. */
export function readAnswer<L>(flight: Landed<L>, row: Attempt, plan: Plan, nowMs: number, isTokenRefused: boolean): Meaning {
  const tookMs = flight.endedAt - flight.sentAt
  row.status = flight.status
  row.latencyUs = Math.round(tookMs * 1000)
  row.sentMs = Math.round(nowMs - tookMs)
  row.responseHeaders = flight.responseHeaders
  row.responseBody = flight.responseBody
  row.responseBytes = flight.responseBytes
  if (isTokenRefused) {
    row.reason = Reason.TOKEN_REFUSED
    return 'ABORTED'
  }
  if (flight.status !== 0) {
    const decided = plan.answerDecides ? readDecision(flight, row) : undefined
    if (decided !== undefined) return decided
    const kind = statusClass(plan.statusClasses, flight.status)
    row.reason = statusReason(kind)
    return answerOfClass[kind]
  }
  if (flight.cut === 'TIMEOUT') {
    row.reason = Reason.TIMEOUT
    row.error = `no whole answer within ${plan.requestTimeoutMs} ms`
  } else if (flight.cut === 'ABORTED') {
    row.reason = Reason.ABORTED
    row.error = 'aborted by Ferry: the lane is moved, or the worker has no lease'
  } else {
    const { reason, text } = classifyError(flight.error)
    row.reason = reason
    row.error = text
  }
  return costsNoRetry(row.reason) ? 'ABORTED' : 'RETRYABLE'
}

export const answerOfClass = {
  [FINAL]: 'FINAL',
  [SUCCESS]: 'DELIVERED',
  [RETRYABLE]: 'RETRYABLE',
  [SKIPPED]: 'SKIPPED',
  [PAUSING]: 'ABORTED',
} as const

/** What the endpoint itself says is to be done; undefined when it says nothing that is understood. */
function readDecision<L>(flight: Landed<L>, row: Attempt): 'SKIPPED' | Answer | undefined {
  const action = readAnswerAction(flight.responseHeaders)
  if (action === undefined) return undefined
  if (action.kind === 'UNKNOWN') {
    row.error = action.error
    return undefined
  }
  row.reason = Reason.ANSWER
  return action.kind === 'RETRY' ? 'RETRYABLE' : action.kind === 'SKIP' ? 'SKIPPED' : 'FINAL'
}

/** What the answer's time, and the answer itself, say of the next attempt: the same for all records of a request. */
export const askedOf = <L>(
  flight: Landed<L>,
  plan: Plan,
  nowMs: number,
): Pick<Unsuccessful, 'nowMs' | 'retryAfterMs' | 'random'> => ({
  ...{ nowMs, retryAfterMs: askedMs(flight, plan, nowMs), random: Math.random() },
})

/** The wait that the answer asks for, in ms. */
function askedMs<L>(flight: Landed<L>, plan: Plan, nowMs: number): number | undefined {
  const action = plan.answerDecides ? readAnswerAction(flight.responseHeaders) : undefined
  if (action?.kind === 'RETRY' && action.afterMs !== undefined) return action.afterMs
  const header = responseHeader(flight.responseHeaders, 'retry-after')
  return header === undefined ? undefined : retryAfterMs(header, nowMs)
}

/** What is to be known of an attempt whose answer, which is in its row already, was no success. */
export function unsuccessful(
  { row, entry }: Pick<Load, 'row' | 'entry'>,
  asked: ReturnType<typeof askedOf>,
  isOfRecord: boolean,
): Unsuccessful {
  const { attempt, sentMs, status } = row
  const attempts = attempt - (entry?.unpaid ?? 0)
  return { attempts, firstMs: entry?.firstMs || sentMs, status, speaksOfRecord: isOfRecord, ...asked }
}

/** Whether the answer in the row of a record that was sent alone speaks of the record. */
export const isOfRecord = ({ reason, status }: Attempt, { statusClasses }: Plan): boolean =>
  reason === Reason.ANSWER || speaksOfRecord(statusClasses, status)

import { Reason } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { type ItemFailure, readFailures } from '../deliver/batch-answer.ts'
import { READ_BYTES_MAX } from '../deliver/flight.ts'
import type { Plan } from '../deliver/plan.ts'
import { FINAL, RETRYABLE, type StatusClass, SUCCESS, statusClass, statusReason } from '../deliver/status-class.ts'
import { answerOfClass, askedOf, isOfRecord, type Landed, type Meaning, readAnswer, unsuccessful } from './answer.ts'
import type { Lane } from './lane.ts'
import type { Load } from './load.ts'
import type { BatchItem } from './request-batch.ts'

// What the answer to a batch means for each of its records.
//
//   the answer to the batch           | a record                     | its answer
//   is worth another attempt          | any                          | RETRYABLE, each by its own policy; one random number for all, so that they stay together
//   was held back, or pauses          | any                          | ABORTED
//   would end a single record         | one alone                    | FINAL or SKIPPED
//   would end a single record         | of several                   | ABORTED, BATCH_REFUSED: sent again in halves
//   is a success, and not readable    | any                          | RETRYABLE, INVALID_RESPONSE
//   is a success                      | named as failed              | by its own retry, or by its own status
//   is a success                      | PARTITION: behind such a one | ABORTED, BEHIND_FAILED_ITEM: whether it was taken does not count
//   is a success                      | any other                    | DELIVERED
//
// The request's headers and its answer stand in the row of the first record; the others have its request_id and, of an answer that
// is no success, the beginning, by which failures are grouped.

const NOTHING = Buffer.alloc(0)
const BEGINNING_BYTES = 200
const NONE: readonly ItemFailure[] = []

/** A flight with several deliveries has landed. */
export function landBatch(lane: Lane, flight: Landed<Load>, nowMs: number): void {
  const { plan } = lane.route
  const { load } = flight
  const items = inOrder(load.batch!.items, plan)
  const meaning = readBatchAnswer(flight, plan, nowMs, load.isTokenRefused(flight.status, flight.endedAt))
  load.span?.endRequest(flight.status, load.batch!.first.row.reason)
  if (meaning === 'DELIVERED') {
    for (let i = 0; i < items.length; i++) lane.conclude(items[i]!, 'DELIVERED', undefined, nowMs)
    return
  }
  const asked = askedOf(flight, plan, nowMs)
  const isSuccess = statusClass(plan.statusClasses, flight.status) === SUCCESS
  for (const item of items) {
    const { row } = item
    const isNamed = isSuccess && row.reason !== Reason.INVALID_RESPONSE
    const failed = unsuccessful(item, asked, isNamed || (items.length === 1 && isOfRecord(row, plan)))
    lane.conclude(item, typeof meaning === 'string' ? meaning : meaning[row.item]!, failed, nowMs)
  }
}

/** Writes the answer to a batch into the rows of its records; says what it means, for all or by their places in it. nowMs: when it came, Unix ms. */
export function readBatchAnswer(
  flight: Landed<Load>,
  plan: Plan,
  nowMs: number,
  isTokenRefused: boolean,
): Meaning | readonly Meaning[] {
  const { items, first } = flight.load.batch!
  const { row } = first
  let answer = readAnswer(flight, row, plan, nowMs, isTokenRefused)
  const failures = answer === 'DELIVERED' ? failuresOf(flight, items.length) : NONE
  if (typeof failures === 'string') {
    answer = 'RETRYABLE'
    row.reason = Reason.INVALID_RESPONSE
    row.error = failures
  } else if ((answer === 'FINAL' || answer === 'SKIPPED') && items.length > 1) {
    answer = 'ABORTED'
    row.reason = Reason.BATCH_REFUSED
    for (const item of items) item.together = items.length >> 1
  }
  const beginning = answer === 'DELIVERED' ? NOTHING : flight.responseBody.subarray(0, BEGINNING_BYTES)
  for (let i = 1; i < items.length; i++) copyAnswer(row, items[i]!.row, beginning)
  row.responseBody = flight.responseBody.subarray(0, plan.responseBodyBytesMax)
  return typeof failures === 'string' || failures.length === 0 ? answer : nameFailures(items, failures, plan)
}

const failuresOf = ({ responseBody, responseBytes }: Landed<Load>, count: number): readonly ItemFailure[] | string =>
  responseBytes === 0 ? NONE : readFailures(responseBody, responseBytes <= READ_BYTES_MAX, count)

function copyAnswer(from: Load['row'], to: Load['row'], beginning: Buffer): void {
  to.status = from.status
  to.latencyUs = from.latencyUs
  to.sentMs = from.sentMs
  to.reason = from.reason
  to.error = from.error
  to.responseBody = beginning
  to.responseBytes = 0
}

/** Writes what was said of them into their rows; answers, by place in the batch, what that means. */
function nameFailures(items: readonly BatchItem[], failures: readonly ItemFailure[], plan: Plan): readonly Meaning[] {
  const meanings = new Array<Meaning>(items.length).fill('DELIVERED')
  let lowest = items.length
  for (const failure of failures) {
    const { index, status, error } = failure
    const { row } = items[index]!
    if (status > 0) row.status = status
    row.error = error
    const kind = classOf(failure, plan)
    row.reason = statusReason(kind)
    meanings[index] = answerOfClass[kind]
    lowest = Math.min(lowest, index)
  }
  if (plan.ordering !== 'PARTITION') return meanings
  for (let at = lowest + 1; at < items.length; at++) {
    meanings[at] = 'ABORTED'
    items[at]!.row.reason = Reason.BEHIND_FAILED_ITEM
  }
  return meanings
}

/** Named as failed it is no success, whatever its status says. */
function classOf({ retry, status }: ItemFailure, { statusClasses }: Plan): Exclude<StatusClass, typeof SUCCESS> {
  if (retry !== undefined) return retry ? RETRYABLE : FINAL
  const kind = status === 0 ? RETRYABLE : statusClass(statusClasses, status)
  return kind === SUCCESS ? RETRYABLE : kind
}

/**
 * PARTITION, fresh records: the first one last. It alone stands in the window's chain for all of them, so what follows the batch is
 * let go when nothing of the batch is open any more. All others: as they come; parked ones wait one behind the other.
 */
const inOrder = (items: readonly BatchItem[], { ordering }: Plan): readonly BatchItem[] =>
  ordering === 'PARTITION' && items[0]!.slot >= 0 ? [...items.slice(1), items[0]!] : items

import type { BatchPlan } from '../deliver/compile-batching.ts'
import type { KafkaRecord } from '../source/kafka-record.ts'
import type { Lane } from './lane.ts'
import type { Load } from './load.ts'
import type { Parked } from './parked.ts'
import { BatchItem, RequestBatch } from './request-batch.ts'

// When the fresh records of a lane leave together. Until then they stay in the intake, where they take no more memory, hold nothing
// up, and are simply given back when the lane moves.
//
//   there is                                       | then
//   a record that has waited for one of its key,   | now, with what else may go
//   or that found no room in the last batch        |
//   enough for a batch, by number or by bytes      | now
//   all that is read for now: the intake is full   | now
//   less                                           | when the first has waited for so long as may be
//
// What waits in parking leaves as soon as it is due, with what else is due.

/** Fills the batches of one use case on this worker. */
export class Batcher {
  /** Items of batches that have landed: so many as have ever been on their way at once, which windows bound. */
  readonly #spare: BatchItem[] = []
  /** The last call has ended records without a request, and has nothing to send: there may be more. */
  hasMore = false

  /** Loads the next batch of fresh records; false when none is to leave now. now: of performance.now(). */
  takeFresh(load: Load, lane: Lane, plan: BatchPlan, now: number, nowMs: number): boolean {
    this.hasMore = false
    if (!isRipe(lane, plan, now)) return false
    if (!this.#fill(load, lane, plan, undefined, nowMs)) return false
    lane.fillingSince = 0
    return true
  }

  /** Loads the next batch of parked records that are due and whose bytes are there. */
  takeRetry(load: Load, lane: Lane, plan: BatchPlan, recordOf: (entry: Parked) => KafkaRecord, nowMs: number): boolean {
    this.hasMore = false
    const isFilled = this.#fill(load, lane, plan, recordOf, nowMs)
    if (lane.route.plan.ordering === 'PARTITION') lane.unload()
    return isFilled
  }

  #fill(load: Load, lane: Lane, plan: BatchPlan, recordOf: ((entry: Parked) => KafkaRecord) | undefined, nowMs: number): boolean {
    let batch: RequestBatch | undefined
    for (let taken = 0; taken < plan.recordsMax; taken++) {
      if (batch?.hasRoom(recordOf === undefined ? 0 : (lane.loaded[0]?.together ?? 0)) === false) break
      const item = this.#spare.pop() ?? new BatchItem()
      const joins = batch !== undefined
      lane.hasWaited = false
      const isTaken = recordOf === undefined ? lane.takeFresh(item, joins) : lane.takeRetry(item, recordOf)
      // No use case with batches has bodies that come later: compileRoute refuses it.
      if (isTaken && lane.decode(item, nowMs, joins) === true) {
        batch ??= new RequestBatch(plan)
        if (batch.fits(item)) {
          batch.add(item)
          continue
        }
        lane.putBack(item)
        this.#spare.push(item)
        break
      }
      this.#spare.push(item)
      if (!isTaken) break
      this.hasMore = true
      // What comes behind a record that waits for its schema must not go before it.
      if (lane.hasWaited) break
    }
    if (batch === undefined) return false
    this.hasMore = false
    load.lane = lane
    load.isRetry = recordOf !== undefined
    load.addressBatch(lane.route, lane, batch, nowMs)
    return true
  }

  /** A batch has landed, and nobody needs its items any more. */
  reuse(load: Load): void {
    for (const item of load.batch!.items) this.#spare.push(item)
    load.batch = undefined
    load.release()
  }
}

function isRipe(lane: Lane, { recordsMax, bytesMax, waitMs }: BatchPlan, now: number): boolean {
  const { intake, window } = lane
  const waiting = Math.min(intake.records, window.tracker.room)
  if (waiting === 0) lane.fillingSince = 0
  // Nothing to wait for: but offsets that are no record may be passed.
  if (waiting === 0 || window.ready > 0 || waiting >= recordsMax || intake.payloadBytes >= bytesMax || intake.isFull) return true
  lane.fillingSince ||= now
  return now - lane.fillingSince >= waitMs
}

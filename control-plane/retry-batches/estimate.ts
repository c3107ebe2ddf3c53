import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import type { RetryBatch } from '../../proto/gen/ferry/v1/retry_batch_pb.ts'
import { type BatchRecord, type Ended, isOpen } from './batch.ts'

const windowMs = 60_000

/** The two times that a rate is counted from; at the beginning, and when a batch goes on, both are now. */
export const beginRates = (ended: number, ms: number): readonly [Ended, Ended] => [
  { ms, ended },
  { ms, ended },
]

/** Moves on when the later one is a minute old. */
export function countRates([earlier, later]: readonly [Ended, Ended], ended: number, ms: number): readonly [Ended, Ended] {
  return ms - later.ms < windowMs ? [earlier, later] : [later, { ms, ended }]
}

export const endedOf = ({ selected, remaining }: Pick<RetryBatch, 'selected' | 'remaining'>): number =>
  Number(selected - remaining)

/** A batch as callers see it: with how fast it goes, and when it will have ended. */
export function withEstimate(record: BatchRecord, nowMs: number): RetryBatch {
  const { batch, rates } = record
  if (!isOpen(record) || !rates) return batch
  const [from] = rates
  const seconds = (nowMs - from.ms) / 1000
  const measured = seconds > 0 ? Math.max(0, endedOf(batch) - from.ended) / seconds : 0
  const { recordsPerSecond: pace = Number.POSITIVE_INFINITY } = batch
  const rate = Math.min(measured > 0 ? measured : Number.POSITIVE_INFINITY, pace)
  const endMs = nowMs + (Number(batch.remaining) / rate) * 1000
  const isKnown = Number.isFinite(rate) && endMs < Date.UTC(9999, 0)
  return {
    ...batch,
    endedPerSecond: Math.round(measured * 1000) / 1000,
    ...(isKnown ? { estimatedEndTime: timestampFromMs(Math.round(endMs)) } : {}),
  }
}

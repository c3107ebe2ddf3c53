import { create } from '@bufbuild/protobuf'
import { timestampMs } from '@bufbuild/protobuf/wkt'
import { expect, test } from 'vitest'
import { RetryBatchSchema, RetryBatchState as State } from '../../proto/gen/ferry/v1/retry_batch_pb.ts'
import type { BatchRecord } from './batch.ts'
import { beginRates, countRates, withEstimate } from './estimate.ts'

const record = (
  remaining: bigint,
  rates: BatchRecord['rates'],
  recordsPerSecond?: number,
  state: State = State.RUNNING,
): BatchRecord => ({
  ...{ uid: 'u', revision: 1, lap: 0, sweepMs: 0, request: '', withdrawn: false, partitions: [0] },
  batch: create(RetryBatchSchema, { selected: 1000n, remaining, state, ...(recordsPerSecond ? { recordsPerSecond } : {}) }),
  ...(rates ? { rates } : {}),
})
const estimate = (...of: Parameters<typeof record>) => {
  const { endedPerSecond, estimatedEndTime } = withEstimate(record(...of), 20_000)
  return [endedPerSecond, estimatedEndTime && timestampMs(estimatedEndTime)]
}

test('a batch ends at the rate of the last minutes, or at its pace, whichever is slower', () => {
  const rates = [
    { ms: 0, ended: 100 },
    { ms: 15_000, ended: 250 },
  ] as const // prettier-ignore
  expect(estimate(700n, rates)).toEqual([10, 90_000])
  expect(estimate(700n, rates, 5)).toEqual([10, 160_000])
  expect(estimate(700n, rates, 50)).toEqual([10, 90_000])
  // Nothing has ended yet.
  expect(estimate(900n, rates)).toEqual([0, undefined])
  expect(estimate(900n, rates, 9)).toEqual([0, 120_000])
  expect(estimate(0n, rates)).toEqual([45, 20_000])
  for (const state of [State.PAUSED, State.DONE, State.CANCELLED]) expect(estimate(700n, rates, 5, state)).toEqual([0, undefined])
  expect(
    estimate(
      1000n,
      [
        { ms: 0, ended: 0 },
        { ms: 0, ended: 0 },
      ],
      0.001,
    ),
  ).toEqual([0, 1_000_020_000]) // prettier-ignore
})

test('the rate is of one to two minutes', () => {
  let rates = beginRates(0, 0)
  for (let second = 1; second <= 300; second++) {
    rates = countRates(rates, second * 10, second * 1000)
    const [from, to] = rates
    expect(second * 1000 - to.ms).toBeLessThan(60_000)
    if (second > 120) expect(second * 1000 - from.ms).toBeGreaterThanOrEqual(60_000)
    expect(second * 1000 - from.ms).toBeLessThanOrEqual(120_000)
  }
})

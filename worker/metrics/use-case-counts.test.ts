import { expect, test } from 'vitest'
import { Outcome } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { Metrics } from '../../runtime/metrics/metrics.ts'
import { UseCaseSeries } from '../../runtime/metrics/use-case-series.ts'
import { registerDeliveries } from './delivery-metrics.ts'
import { meterAttempts, meterRanges } from './metered-logs.ts'
import { UseCaseCounts } from './use-case-counts.ts'

const columns = { uid: 'u1', namespace: 'shop', useCase: 'orders' }
const flight = (status: number, cut?: 'TIMEOUT' | 'ABORTED') =>
  ({ status, cut, sentAt: 1000, endedAt: 1020, load: { batch: undefined } }) as never
const rowOf = (outcome: Outcome, more: object = {}) => ({
  outcome,
  round: 0,
  recordMs: 10_000,
  sentMs: 12_000,
  latencyUs: 500_000,
  ...more,
})

async function seriesOf(prepare: (series: UseCaseSeries<UseCaseCounts>) => void): Promise<Map<string, number>> {
  const metrics = new Metrics()
  const series = new UseCaseSeries(10, () => new UseCaseCounts())
  registerDeliveries(metrics, () => series)
  prepare(series)
  const lines = (await metrics.registry.metrics()).split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  const short = (line: string) => line.replace('namespace="shop",use_case="orders"', '').replace('{,', '{')
  return new Map(
    lines.map((line) => [short(line.slice(0, line.lastIndexOf(' '))), Number(line.slice(line.lastIndexOf(' ') + 1))]),
  )
}

test('every row that goes to the log counts by its outcome, and what was delivered by how long it took since it was appended', async () => {
  const found = await seriesOf((series) => {
    const rows: unknown[] = []
    const attempts = meterAttempts({ add: (_lane, row) => void rows.push(row.outcome) }, series)
    const add = (row: object) => attempts.add({ columns } as never, row as never, {} as never, 0, undefined)
    add(rowOf(Outcome.DELIVERED))
    add(rowOf(Outcome.DELIVERED, { round: 1 }))
    add(rowOf(Outcome.DELIVERED, { recordMs: -1 }))
    for (const outcome of [Outcome.RETRY, Outcome.FAILED, Outcome.SKIPPED, Outcome.SUPERSEDED]) add(rowOf(outcome))
    expect(rows).toHaveLength(7)
  })
  const counts = ['delivered', 'failed', 'skipped', 'superseded'].map((each) =>
    found.get(`ferry_deliveries_total{outcome="${each}"}`),
  )
  expect(counts).toEqual([3, 1, 1, 1])
  expect(found.get('ferry_delivery_duration_seconds_count{}')).toBe(1)
  expect(found.get('ferry_delivery_duration_seconds_sum{}')).toBe(2.5)
  expect(found.get('ferry_delivery_duration_seconds_bucket{le="2.5"}')).toBe(1)
  expect(found.get('ferry_delivery_duration_seconds_bucket{le="1"}')).toBe(0)
})

test('every answer counts by its class, of a batch for each delivery, which was one request', async () => {
  const found = await seriesOf((series) => {
    const counts = series.of('u1', 'shop', 'orders').value
    for (const status of [200, 204, 302, 404, 503, 599]) counts.landed(flight(status))
    counts.landed(flight(0, 'TIMEOUT'))
    counts.landed(flight(0, 'ABORTED'))
    counts.landed(flight(0))
    const items = [200, 422].map((status) => ({ row: { status } }))
    counts.landed({ ...(flight(200) as object), load: { batch: { items } } } as never)
  })
  const counts = ['2xx', '3xx', '4xx', '5xx', 'timeout', 'aborted', 'error'].map((each) =>
    found.get(`ferry_attempts_total{class="${each}"}`),
  )
  expect(counts).toEqual([3, 1, 2, 2, 1, 1, 1])
  expect(found.get('ferry_request_duration_seconds_count{}')).toBe(10)
  expect(found.get('ferry_request_duration_seconds_bucket{le="0.025"}')).toBe(10)
  expect(found.get('ferry_request_duration_seconds_bucket{le="0.01"}')).toBe(0)
})

test('offsets without a delivery count by why, as many as they are', async () => {
  const found = await seriesOf((series) => {
    const runs: unknown[] = []
    const ranges = meterRanges({ add: (_id, _lane, _epoch, _kind, run) => void runs.push(run) }, series, (uid) =>
      uid === 'u1' ? { namespace: 'shop', id: 'orders' } : undefined,
    )
    ranges.add({ uid: 'u1' } as never, '', 1, 'RETENTION', { first: 5, last: 9 }, {} as never, 0)
    ranges.add({ uid: 'u1' } as never, '', 1, 'FILTERED', { first: 10, last: 10 }, {} as never, 0)
    ranges.add({ uid: 'gone' } as never, '', 1, 'FILTERED', { first: 10, last: 10 }, {} as never, 0)
    expect(runs).toHaveLength(3)
  })
  expect(found.get('ferry_skipped_records_total{kind="retention"}')).toBe(5)
  expect(found.get('ferry_skipped_records_total{kind="filtered"}')).toBe(1)
})

import { expect, test } from 'vitest'
import { Buckets } from './buckets.ts'
import { Calls } from './calls.ts'
import { Metrics } from './metrics.ts'
import { registerProcess } from './process-metrics.ts'
import { foldLabels, UseCaseSeries } from './use-case-series.ts'

test('a metric is what is there when somebody looks, in the words of Prometheus', async () => {
  const metrics = new Metrics()
  const calls = new Calls()
  let level = 1
  metrics.gauge({ name: 'level', help: 'How high' }, () => level)
  metrics.calls('ask', 'Questions', { of: 'two' }, () => [[{ of: 'a "b"' }, calls]])
  await calls.time(async () => 1)
  await expect(calls.time(async () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  level = 7
  const text = await metrics.registry.metrics()
  expect(text).toContain('# HELP level How high\n# TYPE level gauge\nlevel 7\n')
  expect(text).toContain('asks_total{of="a \\"b\\"",result="answered"} 1\nasks_total{of="a \\"b\\"",result="failed"} 1\n')
  expect(text).toContain('# TYPE ask_duration_seconds histogram\n')
  expect(text).toContain('ask_duration_seconds_bucket{of="a \\"b\\"",le="+Inf"} 2\n')
  expect(text).toMatch(/ask_duration_seconds_count\{of="a \\"b\\""\} 2\n/)
})

test("a histogram's buckets count what is at most as large as their bound", async () => {
  const metrics = new Metrics()
  const buckets = new Buckets([1, 2.5])
  metrics.histogram({ name: 'sizes', help: 'Sizes' }, () => [[{}, buckets]])
  for (const each of [0, 1, 1.1, 2.5, 3]) buckets.observe(each)
  expect((await metrics.registry.metrics()).split('\n').filter((line) => line.startsWith('sizes'))).toEqual([
    'sizes_bucket{le="1"} 2',
    'sizes_bucket{le="2.5"} 4',
    'sizes_bucket{le="+Inf"} 5',
    'sizes_sum 7.6',
    'sizes_count 5',
  ])
})

test('so many use cases have labels of their own, the others share one, and a place that is free goes to one of these', () => {
  const series = new UseCaseSeries(2, () => ({ count: 0 }))
  const add = (uid: string) => series.of(uid, 'shop', `id-${uid}`).value.count++
  const seen = () => [...series.values()].map(([labels, { count }]) => [labels['use_case'], count])
  for (const uid of ['a', 'b', 'c', 'd', 'a']) add(uid)
  expect(seen()).toEqual([
    ['id-a', 2],
    ['id-b', 1],
    ['other', 2],
  ])
  expect(series.of('d', 'shop', 'id-d').labels).toEqual({ namespace: '', use_case: 'other' })
  series.tidy((uid) => uid !== 'a')
  for (const uid of ['b', 'c', 'd']) add(uid)
  expect(seen()).toEqual([
    ['id-b', 2],
    ['id-c', 1],
    ['other', 3],
  ])
})

test('with room for all, numbers of a use case that is gone stay, and nothing is called other', () => {
  const series = new UseCaseSeries(1, () => ({ count: 0 }))
  series.of('a', 'shop', 'orders').value.count++
  series.tidy(() => false)
  expect([...series.values()]).toEqual([[{ namespace: 'shop', use_case: 'orders' }, { count: 1 }]])
})

test('numbers of use cases that share labels are joined', () => {
  const series = new UseCaseSeries(1, () => undefined)
  const all = [
    ['a', 1],
    ['b', 5],
    ['c', 3],
  ] as const
  const folded = foldLabels(
    all,
    ([uid]) => series.of(uid, 'shop', uid).labels,
    ([, number]) => number,
    Math.max,
  )
  expect([...folded].map(([{ use_case }, number]) => [use_case, number])).toEqual([
    ['a', 1],
    ['other', 5],
  ])
})

test('every process says its release, how late its event loop is, and what garbage collection took', async () => {
  const metrics = new Metrics()
  registerProcess(metrics, 'worker')
  const text = await metrics.registry.metrics()
  expect(text).toMatch(/^ferry_build_info\{process="worker",version="\d+\.\d+\.\d+",node="\d+\.\d+\.\d+"\} 1$/m)
  expect(text).toContain('nodejs_eventloop_lag_p99_seconds ')
  expect(text).toContain('# TYPE nodejs_gc_duration_seconds histogram')
})

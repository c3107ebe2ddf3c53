import { SpanKind } from '@opentelemetry/api'
import { expect, test, vi } from 'vitest'
import { TraceCollector } from '../../test/harness/trace-collector.ts'
import { spanContextOf, Tracing, traceparentOf } from './tracing.ts'

const parent = (flags: string) => spanContextOf(`00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-${flags}`, 'a=1,b=2')

const open = (collector: TraceCollector, more: Partial<ConstructorParameters<typeof Tracing>[0]> = {}) =>
  new Tracing({
    ...{ url: collector.url, headers: { 'x-key': 'k' }, ratio: 1, process: 'worker', instance: 'i1' },
    ...{ queueSpansMax: 100, batchSpansMax: 10, delayMs: 20, timeoutMs: 500, ...more },
  })

const start = (name: string, parent: Parameters<Tracing['start']>[0]['parent'] = undefined) => ({
  ...{ name, kind: SpanKind.CLIENT, attributes: { 'a.number': 7, 'a.text': 'x' }, parent },
})

test('a span goes to the collector as it was: ids, parent, kind, attributes, links; with the headers that it asks for', async () => {
  await using collector = await TraceCollector.start()
  const tracing = open(collector)
  const first = tracing.start(start('first', parent('01')))!
  tracing.start({ ...start('second', first.spanContext()), links: [{ context: parent('01') }] })!.end()
  first.end()
  await vi.waitFor(() => expect(collector.spans).toHaveLength(2))
  const [second, ended] = collector.spans
  expect(ended).toMatchObject({
    ...{ name: 'first', kind: 'CLIENT', service: 'ferry-worker', traceId: '0af7651916cd43dd8448eb211c80319c' },
    ...{ parentId: 'b7ad6b7169203331', attributes: { 'a.number': 7, 'a.text': 'x' }, links: [], isError: false },
  })
  expect(second).toMatchObject({ parentId: ended!.spanId, traceId: ended!.traceId })
  expect(second!.links).toEqual(['0af7651916cd43dd8448eb211c80319c/b7ad6b7169203331'])
  expect(traceparentOf(first.spanContext())).toBe(`00-${ended!.traceId}-${ended!.spanId}-01`)
  expect(collector.headers[0]).toMatchObject({ 'x-key': 'k', 'content-type': 'application/x-protobuf' })
  await vi.waitFor(() => expect(tracing.queue).toMatchObject({ waiting: 0, exported: 2, failed: 0, dropped: 0 }))
  await tracing.close()
})

test('who began a trace decides whether it is recorded; of those that begin here a share is, the same for the same id', async () => {
  await using collector = await TraceCollector.start()
  const none = open(collector, { ratio: 0 })
  expect(none.start(start('a', parent('00')))).toBeUndefined()
  expect(none.start(start('a'))).toBeUndefined()
  expect(none.start(start('a', parent('01')))).toBeDefined()
  const some = open(collector, { ratio: 0.25 })
  const ids = Array.from({ length: 2000 }, () => crypto.randomUUID().replaceAll('-', ''))
  const recorded = ids.filter((traceId) => some.start({ ...start('a'), traceId }) !== undefined)
  expect(recorded.length).toBeGreaterThan(400)
  expect(recorded.length).toBeLessThan(600)
  for (const traceId of recorded) expect(some.start({ ...start('a'), traceId })!.spanContext().traceId).toBe(traceId)
  expect(some.start({ ...start('a', parent('00')), traceId: recorded[0]! })).toBeUndefined()
  await Promise.all([none.close(), some.close()])
})

test.each<[string, NonNullable<TraceCollector['fault']>]>([
  ['refuses', (response) => response.writeHead(400).end()],
  ['hangs', () => {}],
  ['breaks off', (response) => response.destroy()],
])('a collector that %s costs spans, which are counted, and nobody waits', async (_what, fault) => {
  await using collector = await TraceCollector.start()
  collector.fault = fault
  const tracing = open(collector, { queueSpansMax: 20, batchSpansMax: 5, timeoutMs: 200 })
  const startedMs = performance.now()
  for (let count = 0; count < 1000; count++) tracing.start(start('a'))!.end()
  expect(performance.now() - startedMs).toBeLessThan(1000)
  const { queue } = tracing
  expect(queue.dropped).toBeGreaterThanOrEqual(975)
  expect(queue.waiting).toBeLessThanOrEqual(20)
  await vi.waitFor(() => expect(queue.failed + queue.dropped).toBe(1000), { timeout: 10_000 })
  expect(queue.exported).toBe(0)
  collector.fault = undefined
  tracing.start(start('again'))!.end()
  await vi.waitFor(() => expect(collector.spans.map(({ name }) => name)).toEqual(['again']), { timeout: 10_000 })
  await tracing.close()
})

test('what waits is sent before the process ends', async () => {
  await using collector = await TraceCollector.start()
  const tracing = open(collector, { delayMs: 60_000 })
  for (let count = 0; count < 7; count++) tracing.start(start('a'))!.end()
  await tracing.close()
  expect(collector.spans).toHaveLength(7)
})

// What tracing costs an attempt, before and after its request: `node worker/trace/bench.ts`. All ways in one run, by turns, so that a busy
// machine changes all of them alike; the best round of each counts.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Tracing } from '../../runtime/tracing/tracing.ts'
import { KnownEnds } from '../lane/known-ends.ts'
import { Lane } from '../lane/lane.ts'
import { Load } from '../lane/load.ts'
import { Parking } from '../lane/parking.ts'
import { sampleRoute } from '../lane/sample-route.ts'
import { AttemptTracing } from './attempt-tracing.ts'

const ATTEMPTS = 2000
const ROUNDS = 150

const collector = createServer((request, response) => request.resume().on('end', () => response.end()))
await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve))
const url = `http://127.0.0.1:${(collector.address() as AddressInfo).port}/v1/traces`
const open = (ratio: number): AttemptTracing =>
  new AttemptTracing(
    new Tracing({
      ...{ url, headers: {}, ratio, process: 'worker', instance: 'i' },
      ...{ queueSpansMax: 4096, batchSpansMax: 512, delayMs: 2000, timeoutMs: 5000 },
    }),
  )

const route = sampleRoute('UNORDERED', 'http://127.0.0.1:9/rows')
const limits = { parkedMax: 1000, parkedBytesMax: 100_000, creditMax: 100, bufferBytesMax: 1 << 30 }

function laneOf(tracing: AttemptTracing | undefined): Lane {
  const begin = { cursor: 0, parking: new Parking(), known: new KnownEnds([], new Map(), false), credit: 100 }
  return new Lane({ uid: 'u1', cluster: 'default', topic: 't', partition: 0 }, 1, route, limits, begin, {
    attempts: { add: (_lane, _row, owner, slot, entry) => owner.acknowledged(slot, entry) },
    ranges: { add: () => {} },
    ...{ instance: 'i', nextRequestId: () => 1, windowRecords: 1024, tracing },
  })
}

interface Way {
  readonly name: string
  readonly headers: Record<string, Buffer>
  readonly lane: Lane
  bestNs: number
  offset: number
}

const traceparent = (flags: string) => ({ traceparent: Buffer.from(`00-${'ab'.repeat(16)}-${'cd'.repeat(8)}-${flags}`) })
const way = (name: string, tracing: AttemptTracing | undefined, headers = {}): Way => ({
  ...{ name, headers, lane: laneOf(tracing), bestNs: Number.POSITIVE_INFINITY, offset: 0 },
})
const [always, never] = [open(1), open(0)]
const ways = [
  way('off', undefined),
  way('off, again', undefined),
  way('off, the record has a trace', undefined, traceparent('00')),
  way('on, nothing sampled', never),
  way('on, the record says: not sampled', never, traceparent('00')),
  way('on, sampled', always, traceparent('01')),
]

const load = new Load()
const value = Buffer.from('{"id":1}')

/** Takes up, converts and settles attempts as a worker does, without the request between. */
function round(one: Way): void {
  const records = Array.from({ length: ATTEMPTS }, (_, at) => ({
    ...{ offset: String(one.offset + at), timestamp: '0', key: null, value, headers: one.headers },
  }))
  one.lane.feed([{ hole: undefined, records, fetched: { bytes: 1, held: 0 } }], one.offset + ATTEMPTS)
  one.offset += ATTEMPTS
  const landed = { load, status: 200, error: undefined, cut: undefined, responseHeaders: [], responseBody: value }
  const startedNs = process.hrtime.bigint()
  for (let count = 0; count < ATTEMPTS; count++) {
    if (!one.lane.takeFresh(load)) throw new Error('there is nothing to send')
    one.lane.decode(load, 1)
    one.lane.landed({ ...landed, responseBytes: 0, sentAt: 0, endedAt: 1 }, 1)
  }
  one.bestNs = Math.min(one.bestNs, Number(process.hrtime.bigint() - startedNs) / ATTEMPTS)
}

for (let count = 0; count < ROUNDS; count++) {
  for (const each of count % 2 === 0 ? ways : ways.toReversed()) {
    round(each)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
for (const { name, bestNs } of ways) {
  const ratio = (bestNs / ways[0]!.bestNs).toFixed(2)
  console.log(`${name.padEnd(34)} ${Math.round(bestNs).toString().padStart(7)} ns an attempt  x ${ratio}`)
}
process.exit(0)

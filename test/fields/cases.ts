import { type AddressInfo, createServer } from 'node:net'
import { durationFromMs, timestampFromMs } from '@bufbuild/protobuf/wkt'
import { expect } from 'vitest'
import { LaneCondition } from '../../proto/gen/ferry/v1/lane_pb.ts'
import {
  Concurrency,
  GiveUp,
  HttpMethod,
  Isolation,
  Jitter,
  LogBody,
  StatusAction,
} from '../../proto/gen/ferry/v1/use_case_pb.ts'
import type { Received } from '../harness/received.ts'
import { askRedisAt } from '../harness/redis.ts'
import { jsonRecords } from '../harness/topic.ts'
import { waitUntil } from '../harness/wait-until.ts'
import type { FieldCase, Seen } from './field-case.ts'

const offsetsOf = (requests: readonly Received[]): number[] => requests.map(({ offset }) => offset).sort((a, b) => a - b)

/** From each request of a record to the next one, in ms. */
const waitsOf = (requests: readonly Received[], offset: number): number[] => {
  const times = requests.filter((each) => each.offset === offset).map(({ arrivedMs }) => arrivedMs)
  return times.slice(1).map((ms, at) => ms - times[at]!)
}

const column = async ({ fleet, useCase }: Seen, expression: string): Promise<unknown[]> =>
  (
    await fleet.sql.rows<{ seen: unknown }>(
      `SELECT DISTINCT ${expression} AS seen FROM attempts WHERE uid = '${useCase.uid}' ORDER BY seen`,
    )
  ).map(({ seen }) => seen)

const published = { published: 10, delivered: 10 }
const records = jsonRecords(10)
const json = { status: 200, body: '{"ok":true}' }

/** Takes connections, and says nothing. */
const silent = createServer(() => {})

/** Each sets what no other end-to-end test sets. */
export const fieldCases: readonly FieldCase[] = [
  {
    fields: ['source.cluster'],
    effect: 'records are read from another Kafka cluster',
    isWest: true,
    spec: () => ({ source: { cluster: 'west' } }),
    records,
    counts: published,
  },
  {
    fields: ['destination.connect_timeout'],
    effect: 'a connection that is not made in time is given up, and tried again',
    prepare: async () => {
      await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
      silent.unref()
    },
    spec: () => ({
      destination: { url: `https://127.0.0.1:${(silent.address() as AddressInfo).port}/`, connectTimeout: durationFromMs(300) },
      retry: { maxRetries: 0, giveUp: GiveUp.UNFUNDED },
    }),
    records: jsonRecords(1),
    counts: { failed: 1 },
    check: async (seen) => {
      const [error] = await column(seen, 'error')
      expect(error).toMatch(/UND_ERR_CONNECT_TIMEOUT/)
      silent.close()
    },
  },
  {
    fields: ['delivery.parked_max'],
    effect: 'when so many wait, one record is tried at a time',
    spec: () => ({
      delivery: { parkedMax: 5n, maxInFlight: 4 },
      retry: { initialInterval: durationFromMs(3000), jitterRatio: 0 },
    }),
    records: jsonRecords(200),
    behaviour: ({ attempt }) => ({ status: attempt === 1 ? 425 : 200 }),
    during: async ({ fleet, useCase, requests }) => {
      await waitUntil('it is full', 20_000, async () => {
        const { lanes } = await fleet.client.fleet.listLanes({ useCase: useCase.name })
        return lanes[0]?.condition === LaneCondition.PARKED_FULL
      })
      expect(new Set(offsetsOf(requests)).size).toBeLessThanOrEqual(20)
      await fleet.client.useCases.updateUseCase({
        useCase: { name: useCase.name, spec: { delivery: { parkedMax: 1000n } } },
        updateMask: { paths: ['spec.delivery.parked_max'] },
      })
    },
    counts: { delivered: 200 },
  },
  {
    fields: ['delivery.parked_bytes_max'],
    effect: '0 keeps no bytes of what waits in Redis; they are read from Kafka again',
    spec: () => ({ delivery: { parkedBytesMax: 0n }, retry: { initialInterval: durationFromMs(3000) } }),
    records,
    behaviour: ({ attempt }) => ({ status: attempt === 1 ? 425 : 200 }),
    during: async ({ fleet, useCase }) => {
      const prefix = `ferry:{${useCase.uid}/default/${useCase.spec!.source!.topic}/0}:`
      await askRedisAt(fleet.redisPort, async (redis) => {
        await waitUntil('records wait in Redis', 20_000, async () => (await redis.hlen(`${prefix}parked`)) === 10)
        expect(await redis.hlen(`${prefix}bytes`)).toBe(0)
      })
    },
    counts: published,
  },
  {
    fields: ['retry.status_rules.max_retries'],
    effect: 'after such an answer there are fewer retries',
    spec: () => ({
      retry: {
        ...{ initialInterval: durationFromMs(100), maxRetries: 9, giveUp: GiveUp.UNFUNDED },
        statusRules: [{ status: ['409'], action: StatusAction.RETRY, maxRetries: 1 }],
      },
    }),
    records: jsonRecords(1),
    behaviour: () => ({ status: 409 }),
    counts: { failed: 1 },
    check: ({ requests }) => expect(waitsOf(requests, 0)).toHaveLength(1),
  },
  {
    fields: ['source.time'],
    isJudged: false,
    effect: 'begins with the first record at or after the time',
    spec: () => ({ source: { start: { case: 'time', value: timestampFromMs(2_000_000) } } }),
    records: jsonRecords(10).map((each, at) => ({ ...each, timestampMs: 1_000_000 + at * 200_000 })),
    counts: { delivered: 5 },
    check: ({ requests }) => expect(offsetsOf(requests)).toEqual([5, 6, 7, 8, 9]),
  },
  {
    fields: ['source.offsets.offsets'],
    isJudged: false,
    effect: 'begins at the offset',
    spec: () => ({ source: { start: { case: 'offsets', value: { offsets: { 0: 7n } } } } }),
    records,
    counts: { delivered: 3 },
    check: ({ requests }) => expect(offsetsOf(requests)).toEqual([7, 8, 9]),
  },
  {
    fields: ['source.isolation'],
    isJudged: false,
    effect: 'READ_UNCOMMITTED delivers what an aborted transaction has written',
    spec: () => ({ source: { isolation: Isolation.READ_UNCOMMITTED } }),
    records: jsonRecords(2),
    prepare: (topic) => topic.publishTransaction(jsonRecords(3, { from: 100 }), 'abort'),
    counts: { delivered: 5 },
  },
  {
    fields: ['destination.method', 'destination.headers'],
    effect: 'the request has the method and the headers',
    spec: () => ({ destination: { method: HttpMethod.PUT, headers: { 'x-team': 'shop' } } }),
    records,
    counts: published,
    check: ({ requests }) => {
      expect(new Set(requests.map(({ method, headers }) => `${method} ${headers['x-team']}`))).toEqual(new Set(['PUT shop']))
    },
  },
  {
    fields: ['retry.schedule'],
    effect: 'the waits are those of the schedule, and its length is the number of retries',
    spec: () => ({
      retry: { schedule: [200, 600].map(durationFromMs), jitterRatio: 0, giveUp: GiveUp.UNFUNDED },
    }),
    records: jsonRecords(1),
    behaviour: () => ({ status: 503 }),
    counts: { failed: 1 },
    check: ({ requests }) => {
      const [first, second, ...more] = waitsOf(requests, 0)
      expect(more).toEqual([])
      expect(first).toBeGreaterThanOrEqual(200)
      expect(second).toBeGreaterThanOrEqual(600)
    },
  },
  {
    fields: ['retry.maximum_interval'],
    effect: 'no wait is longer',
    spec: () => ({
      retry: {
        ...{ initialInterval: durationFromMs(200), maximumInterval: durationFromMs(300), backoffCoefficient: 100 },
        ...{ jitterRatio: 0, maxRetries: 3, giveUp: GiveUp.UNFUNDED },
      },
    }),
    records: jsonRecords(1),
    behaviour: () => ({ status: 503 }),
    counts: { failed: 1 },
    // Without it the second wait would be 20 s.
    check: ({ requests }) => expect(waitsOf(requests, 0)).toHaveLength(3),
  },
  {
    fields: ['retry.max_elapsed_time', 'retry.give_up'],
    effect: 'nothing is tried later than that, and it FAILED although no success has paid for it',
    spec: () => ({
      retry: {
        ...{ initialInterval: durationFromMs(100), maximumInterval: durationFromMs(100), jitterRatio: 0 },
        ...{ maxElapsedTime: durationFromMs(1000), giveUp: GiveUp.UNFUNDED },
      },
    }),
    records: jsonRecords(30),
    behaviour: () => ({ status: 503 }),
    counts: { failed: 30 },
    check: async (seen) => expect(await column(seen, "anyIf(reason, outcome = 'FAILED') OVER ()")).toEqual(['MAX_ELAPSED']),
  },
  {
    fields: ['retry.jitter'],
    effect: 'FULL draws waits from nothing to the whole',
    spec: () => ({
      retry: { initialInterval: durationFromMs(4000), maximumInterval: durationFromMs(4000), jitter: Jitter.FULL },
    }),
    records: jsonRecords(40),
    behaviour: ({ attempt }) => ({ status: attempt === 1 ? 425 : 200 }),
    counts: { delivered: 40 },
    check: ({ requests }) => {
      const waits = Array.from({ length: 40 }, (_, offset) => waitsOf(requests, offset)[0]!)
      // By the default of 20 % they would lie within 0.8 s.
      expect(Math.max(...waits) - Math.min(...waits)).toBeGreaterThan(2000)
    },
  },
  {
    fields: ['retry.success_status', 'retry.retryable_status'],
    isJudged: false,
    effect: 'they say what a status means',
    spec: () => ({
      retry: { initialInterval: durationFromMs(100), successStatus: ['404'], retryableStatus: ['418'], giveUp: GiveUp.UNFUNDED },
    }),
    records,
    behaviour: ({ offset, attempt }) => ({ status: offset === 3 ? 500 : offset === 4 && attempt === 1 ? 418 : 404 }),
    counts: { delivered: 9, failed: 1 },
    check: ({ requests }) => expect(waitsOf(requests, 4)).toHaveLength(1),
  },
  {
    fields: ['retry.retry_after_max'],
    effect: 'a longer Retry-After is shortened',
    spec: () => ({ retry: { initialInterval: durationFromMs(100), retryAfterMax: durationFromMs(1000) } }),
    records: jsonRecords(1),
    behaviour: ({ attempt }) => (attempt === 1 ? { status: 429, headers: { 'retry-after': '3600' } } : {}),
    counts: { delivered: 1 },
    check: ({ requests }) => expect(waitsOf(requests, 0)[0]).toBeGreaterThanOrEqual(1000),
  },
  {
    fields: ['delivery.concurrency'],
    effect: 'a worker that knows nothing of the endpoint begins with one request at a time, and soon has several on the way',
    spec: () => ({ delivery: { concurrency: Concurrency.ADAPTIVE, maxInFlight: 64 } }),
    ...{ records: jsonRecords(300), behaviour: () => ({ delayMs: 20 }), counts: { delivered: 300 } },
    check: ({ requests }) => {
      const isAlone = requests.map(({ arrivedMs }, at) => at === 0 || arrivedMs >= requests[at - 1]!.answeredMs - 1)
      expect([isAlone.slice(0, 4), isAlone.includes(false)]).toEqual([[true, true, true, true], true])
    },
  },
  {
    fields: ['delivery.max_in_flight'],
    effect: 'no more requests are on the way at once',
    spec: () => ({ delivery: { maxInFlight: 3 } }),
    records: jsonRecords(60),
    behaviour: () => ({ delayMs: 20 }),
    counts: { delivered: 60 },
    check: ({ requests }) => {
      const steps = requests.flatMap(({ arrivedMs, answeredMs }) => [
        { ms: arrivedMs, by: 1 },
        { ms: answeredMs, by: -1 },
      ])
      let now = 0
      const most = Math.max(...steps.sort((a, b) => a.ms - b.ms || a.by - b.by).map(({ by }) => (now += by)))
      expect(most).toBeLessThanOrEqual(3)
      expect(most).toBeGreaterThan(1)
    },
  },
  {
    fields: ['log.request_body', 'log.response_body_bytes_max'],
    effect: 'NONE keeps no request body, and of answers so much is kept',
    spec: () => ({ log: { requestBody: LogBody.NONE, responseBodyBytesMax: 4 } }),
    records,
    behaviour: () => json,
    counts: published,
    check: async (seen) => expect(await column(seen, "concat(request_body, '|', response_body)")).toEqual(['|{"ok']),
  },
  {
    fields: ['log.request_body_bytes_max'],
    effect: 'longer request bodies are cut in the log, not on the wire',
    spec: () => ({ log: { requestBodyBytesMax: 5 } }),
    records,
    counts: published,
    check: async (seen) => {
      expect(await column(seen, 'request_body')).toEqual(['{"id"'])
      expect(new Set(seen.requests.map(({ body }) => body)).size).toBe(10)
    },
  },
  {
    fields: ['description'],
    effect: 'is read back',
    spec: () => ({ description: 'orders of the shop; ask team shop' }),
    records,
    counts: published,
    check: async ({ fleet, useCase: { name } }) => {
      const { useCase } = await fleet.client.useCases.getUseCase({ name })
      expect(useCase!.spec!.description).toBe('orders of the shop; ask team shop')
    },
  },
]

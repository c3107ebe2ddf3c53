import type { MessageInitShape } from '@bufbuild/protobuf'
import { expect, test } from 'vitest'
import { LaneCondition } from '../proto/gen/ferry/v1/lane_pb.ts'
import { DeliveryClass, type DeliveryPolicySchema } from '../proto/gen/ferry/v1/use_case_pb.ts'
import { certificate } from './harness/certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { fleetOfFile, shortLease } from './harness/fleet.ts'
import { metricOf } from './harness/metric.ts'
import type { Received } from './harness/received.ts'
import { jsonRecords, Topic } from './harness/topic.ts'
import { newName, registerUseCase, specOf, waitForLanes } from './harness/use-case.ts'
import { waitUntil } from './harness/wait-until.ts'

const fleetOf = fleetOfFile({ workers: 2, workerEnv: shortLease })

const perSecond = 200
const published = 1200
const windowMs = 2000
/** What the limit allows in a window with three workers, and a quarter more: arrivals are later than requests, and not all as late. */
const windowMax = 1.25 * (perSecond * (windowMs / 1000 + 0.1) + 3)

/** The most requests that arrived within one window. */
function mostInWindow(arrivals: readonly number[]): number {
  const sorted = [...arrivals].sort((a, b) => a - b)
  return sorted.reduce((most, from, first) => {
    const after = sorted.findIndex((each, at) => at > first && each >= from + windowMs)
    return Math.max(most, (after < 0 ? sorted.length : after) - first)
  }, 0)
}

/** The most of these requests that were on the way at once, as the endpoint saw them. */
function mostAtOnce(requests: readonly Received[]): number {
  const changes = requests.flatMap(({ arrivedMs, answeredMs }) => [
    { ms: arrivedMs, by: 1 },
    { ms: answeredMs, by: -1 },
  ])
  let now = 0
  return changes
    .sort((a, b) => a.ms - b.ms || a.by - b.by)
    .reduce((most, { by }) => {
      now += by
      return Math.max(most, now)
    }, 0)
}

test('LIVE goes first in an endpoint group: it does not feel a backfill, which takes what is left', async () => {
  const fleet = fleetOf()
  const slowMs = 1000
  await using endpoint = await Endpoint.start(({ headers }) => ({
    delayMs: String(headers['ferry-use-case']).endsWith('-backfill') ? slowMs : 5,
  }))
  await using liveTopic = await Topic.create(fleet.stack.kafkaBrokers, 2)
  await using oldTopic = await Topic.create(fleet.stack.kafkaBrokers, 2)
  const name = newName()
  const member = (topic: Topic, delivery: MessageInitShape<typeof DeliveryPolicySchema>) =>
    specOf(topic, endpoint, { destination: { url: endpoint.url, endpointGroup: 'shop' }, delivery })
  // What LIVE says holds for all of the group: two requests for each worker.
  const live = await registerUseCase(fleet, member(liveTopic, { maxInFlight: 4 }), name)
  await waitForLanes(fleet, live, 2)
  let sent = 0
  const pings = async (): Promise<number> => {
    const waits: number[] = []
    for (let i = 0; i < 11; i++) {
      const startMs = Date.now()
      await liveTopic.publish([{ key: `k${sent}`, value: '{}', partition: sent % 2 }])
      const count = ++sent
      await waitUntil('the record arrives', 10_000, () => endpoint.of(live).requests.length >= count)
      waits.push(endpoint.of(live).requests.at(-1)!.arrivedMs - startMs)
    }
    return waits.sort((a, b) => a - b)[5]!
  }
  const aloneMs = await pings()
  const wrong = registerUseCase(fleet, member(oldTopic, { class: DeliveryClass.BACKFILL, maxInFlight: 5 }), `${name}-backfill`)
  await expect(wrong).rejects.toThrow(/max_in_flight is 4 in .*, which shares endpoint_group shop; given 5/)
  await oldTopic.publish(jsonRecords(14))
  const backfill = await registerUseCase(fleet, member(oldTopic, { class: DeliveryClass.BACKFILL }), `${name}-backfill`)
  await waitUntil('the backfill is under way', 20_000, () => endpoint.of(backfill).requests.length >= 4)
  expect(await pings()).toBeLessThan(aloneMs + slowMs / 6)
  // LIVE has so much to do that the backfill waits.
  await liveTopic.publish(jsonRecords(800))
  await waitUntil('the backfill says to whom it yields', 10_000, async () => {
    const { lanes } = await fleet.client.fleet.listLanes({ useCase: backfill.name })
    return lanes.some(({ condition, message }) => condition === LaneCondition.YIELDING_TO_LIVE && message.includes(live.name))
  })
  const counts = { published: sent + 800, delivered: sent + 800, attempts: sent + 800, missing: 0 }
  expect(await certificate(fleet, live, 60_000)).toMatchObject(counts)
  expect(await certificate(fleet, backfill, 60_000)).toMatchObject({ published: 14, delivered: 14, attempts: 14, missing: 0 })
  expect(mostAtOnce(endpoint.requests)).toBeLessThanOrEqual(4)
}, 120_000)

test('two workers keep a rate limit together, also while one is killed and replaced; other use cases do not feel it', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 4)
  await topic.publish(jsonRecords(published))
  const rateLimit = { recordsPerSecond: perSecond }
  const limited = await registerUseCase(fleet, specOf(topic, endpoint, { delivery: { rateLimit } }))
  const lanes = await waitForLanes(fleet, limited, topic.partitions)
  const byWorker = Map.groupBy(lanes.values(), (lane) => lane.worker)
  expect([...byWorker.values()].map((each) => each.length)).toEqual([2, 2])
  await waitUntil('each lane says why it does not go faster, and what its worker has', 10_000, async () => {
    const { lanes } = await fleet.client.fleet.listLanes({ useCase: limited.name })
    return lanes.every(
      ({ condition, message }) => condition === LaneCondition.RATE_LIMITED && /sends 100 of 200 records a second/.test(message),
    )
  })
  await using otherTopic = await Topic.create(fleet.stack.kafkaBrokers, 2)
  await otherTopic.publish(jsonRecords(300))
  const other = await registerUseCase(fleet, specOf(otherTopic, endpoint))
  await waitUntil('all of the other is delivered', 20_000, () => endpoint.of(other).requests.length >= 300)
  expect(endpoint.of(limited).requests.length).toBeLessThan(published)

  fleet.workers[0]!.kill('SIGKILL')
  await fleet.startWorker()
  const counts = await certificate(fleet, limited, 60_000)
  // What waited for the rate has paid no retry: every row is a first attempt.
  expect(counts).toMatchObject({ published, delivered: published, failed: 0, missing: 0, attempts: published })
  const arrivals = endpoint.of(limited).requests.map((each) => each.arrivedMs)
  expect(mostInWindow(arrivals)).toBeLessThanOrEqual(windowMax)
  expect(mostInWindow(arrivals)).toBeGreaterThan(0.7 * perSecond * (windowMs / 1000))
  expect(await metricOf(fleet.workers[1]!, 'ferry_rate_limited_seconds_total')).toBeGreaterThan(2)
}, 120_000)

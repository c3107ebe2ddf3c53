import { expect, test } from 'vitest'
import { LaneCondition } from '../proto/gen/ferry/v1/lane_pb.ts'
import { certificate } from './harness/certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { Fleet, shortLease } from './harness/fleet.ts'
import { metricOf } from './harness/metric.ts'
import { jsonRecords, Topic } from './harness/topic.ts'
import { registerUseCase, specOf, waitForLanes } from './harness/use-case.ts'
import { waitUntil } from './harness/wait-until.ts'

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

test('two workers keep a rate limit together, also while one is killed and replaced; other use cases do not feel it', async () => {
  await using fleet = await Fleet.start({ workers: 2, workerEnv: shortLease })
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

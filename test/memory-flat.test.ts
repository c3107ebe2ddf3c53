import { durationFromMs } from '@bufbuild/protobuf/wkt'
import { expect, test } from 'vitest'
import { LaneCondition } from '../proto/gen/ferry/v1/lane_pb.ts'
import { countNow } from './harness/certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { evenPercent } from './harness/even-percent.ts'
import { Fleet } from './harness/fleet.ts'
import { peakMemoryMb } from './harness/process-memory.ts'
import { jsonRecords, Topic } from './harness/topic.ts'
import { registerUseCase, specOf, waitForPause } from './harness/use-case.ts'
import { waitUntil } from './harness/wait-until.ts'

const million = 1_000_000
/** Many lanes share the memory that fetched records may take. */
const partitions = 64
const memoryMbMax = 400
const downMs = 15_000

test('a worker stays under 400 MB while the endpoint fails, and is down, and the topic holds a million records', async () => {
  await using fleet = await Fleet.start({ workers: 1 })
  await using endpoint = await Endpoint.start((request) => ({ status: evenPercent(request) < 50 ? 503 : 200 }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, partitions)
  const page = jsonRecords(10_000, { keys: 5000 })
  for (let at = 0; at < million; at += page.length) await topic.publish(page)
  const [worker] = fleet.workers
  const delivery = { parkedMax: 10_000n, maxInFlight: 64 }
  // Little is tried again before the endpoint is down.
  const retry = { initialInterval: durationFromMs(8000), maximumInterval: durationFromMs(8000) }
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { delivery, retry }))
  const conditions = async (): Promise<LaneCondition[]> => {
    const { lanes } = await fleet.client.fleet.listLanes({ useCase: useCase.name })
    return lanes.map((lane) => lane.condition)
  }
  // Half of it fails: as many deliveries wait as may, and then the lanes go on with one record at a time.
  await waitUntil('as many wait as may', 40_000, async () => (await conditions()).includes(LaneCondition.PARKED_FULL))
  expect(peakMemoryMb(worker!.pid)).toBeLessThan(memoryMbMax)
  await endpoint.goDown()
  const upAt = performance.now() + downMs
  await waitUntil('the breaker is open', 15_000, async () => (await conditions()).includes(LaneCondition.BREAKER_OPEN))
  await waitUntil('it was down for long enough', downMs + 1000, () => performance.now() > upAt)
  expect(peakMemoryMb(worker!.pid)).toBeLessThan(memoryMbMax)
  endpoint.behaviour = () => ({})
  await endpoint.goUp()
  const before = endpoint.successes
  await waitUntil('delivery goes on', 40_000, () => endpoint.successes > before + 20_000)
  expect(peakMemoryMb(worker!.pid)).toBeLessThan(memoryMbMax)
  await fleet.client.useCases.pauseUseCase({ name: useCase.name, reason: 'a million is enough' })
  await waitForPause(fleet, useCase)
  const counts = await countNow(fleet, useCase)
  expect(counts).toMatchObject({ published: million, failed: 0, missing: 0, repeated: 0 })
  expect(counts.delivered + counts.onTheWay).toBe(million)
  expect(counts.delivered).toBe(endpoint.delivered)
}, 180_000)

import { durationFromMs } from '@bufbuild/protobuf/wkt'
import { expect, test } from 'vitest'
import { LaneCondition } from '../proto/gen/ferry/v1/lane_pb.ts'
import { GiveUp, Ordering } from '../proto/gen/ferry/v1/use_case_pb.ts'
import { certificate } from './harness/certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { fleetOfFile } from './harness/fleet.ts'
import { judge } from './harness/judge.ts'
import { readTopic } from './harness/read-topic.ts'
import { jsonRecords, Topic } from './harness/topic.ts'
import { registerUseCase, specOf } from './harness/use-case.ts'
import { waitUntil } from './harness/wait-until.ts'

const fleetOf = fleetOfFile({ workers: 2 })
const records = 1000

test('every record that FAILED is in the dead-letter topic with the reason, also when its worker is killed, and none that did not', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start(({ offset }) => ({
    delayMs: 5,
    status: offset % 10 === 3 ? 422 : offset % 10 === 4 ? 503 : 200,
  }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
  await using dead = await Topic.create(fleet.stack.kafkaBrokers, 2)
  const publications = jsonRecords(records, { keys: 500 })
  await topic.publish(publications.map((each, at) => (at % 100 === 50 ? { ...each, value: 'no JSON' } : each)))
  const retry = {
    ...{ initialInterval: durationFromMs(50), maxRetries: 1, giveUp: GiveUp.UNFUNDED },
    deadLetterTopic: dead.name,
  }
  const useCase = await registerUseCase(
    fleet,
    specOf(topic, endpoint, { retry, delivery: { ordering: Ordering.KEY, maxInFlight: 8 } }),
  )
  await waitUntil('it delivers', 20_000, () => endpoint.successes >= 100)
  fleet.workers[0]!.kill('SIGKILL')
  const counts = await certificate(fleet, useCase, 40_000)
  expect(counts).toMatchObject({ published: records, skipped: 0, missing: 0 })
  expect(counts.failed).toBeGreaterThanOrEqual(200)
  expect((await judge(fleet, useCase, topic, endpoint, { crashed: true })).problems).toEqual([])
  const failed = await fleet.sql.rows<{
    partition: number
    offset: number
    reason: string
  }>(`SELECT partition, offset, toString(reason) AS reason FROM outcomes
    WHERE uid = '${useCase.uid}' AND outcome = 'FAILED' GROUP BY ALL ORDER BY ALL`)
  const letters = await readTopic(dead)
  const sources = new Map((await readTopic(topic)).map((each) => [`${each.partition}/${each.offset}`, each]))
  const seen = new Map<string, string>()
  for (const { key, value, headers } of letters) {
    const name = `${headers['ferry-partition']}/${headers['ferry-offset']}`
    const source = sources.get(name)!
    expect([key, String(value)]).toEqual([source.key, String(source.value)])
    seen.set(name, headers['ferry-reason']!)
  }
  const expected = failed.map((row) => [`${row.partition}/${row.offset}`, row.reason])
  expect(Object.fromEntries(seen)).toEqual(Object.fromEntries(expected))
  expect(new Set(seen.values())).toEqual(new Set(['NON_RETRYABLE_STATUS', 'MAX_RETRIES_REACHED', 'DECODE_FAILED']))
})

test('a topic that is not there is refused; one that goes away holds back what is given up until there is another', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start(({ offset }) => ({ status: offset % 10 === 3 ? 422 : 200 }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  await using dead = await Topic.create(fleet.stack.kafkaBrokers, 1)
  await using other = await Topic.create(fleet.stack.kafkaBrokers, 1)
  const spec = (deadLetterTopic: string) => specOf(topic, endpoint, { retry: { deadLetterTopic, giveUp: GiveUp.UNFUNDED } })
  await expect(registerUseCase(fleet, spec('nowhere'))).rejects.toThrow(/dead_letter_topic must exist in Kafka cluster "default"/)
  await expect(registerUseCase(fleet, spec(topic.name))).rejects.toThrow(/dead_letter_topic must be another topic/)
  const useCase = await registerUseCase(fleet, spec(dead.name))
  const { name } = useCase
  await dead.admin.deleteTopics({ topics: [dead.name] })
  await topic.publish(jsonRecords(100))
  const conditionOf = async () => (await fleet.client.fleet.listLanes({ useCase: name })).lanes[0]!.condition
  await waitUntil('dead letters wait', 30_000, async () => (await conditionOf()) === LaneCondition.DEAD_LETTERS_UNAVAILABLE)
  expect(await fleet.sql.number(`SELECT count() FROM outcomes WHERE uid = '${useCase.uid}' AND outcome = 'FAILED'`)).toBe(0)
  await fleet.client.useCases.updateUseCase({ useCase: { name, spec: spec(other.name) } })
  expect(await certificate(fleet, useCase, 40_000)).toMatchObject({ published: 100, delivered: 90, failed: 10, missing: 0 })
  expect(await readTopic(other)).toHaveLength(10)
})

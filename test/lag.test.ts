import { expect, test } from 'vitest'
import { certificate } from './harness/certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { fleetOfFile } from './harness/fleet.ts'
import { jsonRecords, Topic } from './harness/topic.ts'
import { registerUseCase, specOf } from './harness/use-case.ts'
import { waitUntil } from './harness/wait-until.ts'

const fleetOf = fleetOfFile({ workers: 1 })

test('lag, cursor and floor tell the truth, and so does the Kafka group that mirrors the floor', async () => {
  const fleet = fleetOf()
  // Offset 30 of partition 0 waits; everything behind it goes on.
  let isHealed = false
  await using endpoint = await Endpoint.start(({ partition, offset }) => ({
    status: partition === 0 && offset === 30 && !isHealed ? 503 : 200,
  }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
  await topic.publish(jsonRecords(200).map((each, index) => ({ ...each, partition: index % 2 })))
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint))
  const group = `ferry.e2e.${useCase.name.split('/').at(-1)}.${useCase.uid}`
  const { deliveries } = fleet.client
  const lag = await waitUntil('all but one record are through', 20_000, async () => {
    const now = await deliveries.getLag({ useCase: useCase.name })
    return now.records === 0n && now.parked === 1n && now
  })
  expect(lag.partitions).toMatchObject([
    { partition: 0, cursor: 100n, floor: 30n, endOffset: 100n, parked: 1n },
    { partition: 1, cursor: 100n, floor: 100n, endOffset: 100n, parked: 0n },
  ])
  const committed = async (): Promise<string[]> => {
    const [answer] = await topic.admin.fetchOffsets({ groupId: group, topics: [topic.name] })
    return [...answer!.partitions].sort((a, b) => a.partition - b.partition).map((each) => each.offset)
  }
  await expect.poll(committed, { timeout: 10_000 }).toEqual(['30', '100'])
  isHealed = true
  await certificate(fleet, useCase, 20_000)
  await expect.poll(committed, { timeout: 10_000 }).toEqual(['100', '100'])
  // The control plane hears of the floor with the next heartbeat, which may come after the commit.
  const floors = async () => (await fleet.client.fleet.listLanes({ useCase: useCase.name })).lanes.map((lane) => lane.floor)
  await expect.poll(floors, { timeout: 10_000 }).toEqual([100n, 100n])
})

test('records that nobody has read yet are lag', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint))
  await fleet.client.useCases.pauseUseCase({ name: useCase.name, reason: 'to see lag' })
  await topic.publish(jsonRecords(500))
  await expect
    .poll(async () => (await fleet.client.deliveries.getLag({ useCase: useCase.name })).records, { timeout: 10_000 })
    .toBe(500n)
  await fleet.client.useCases.resumeUseCase({ name: useCase.name })
  expect(await certificate(fleet, useCase, 20_000)).toMatchObject({ published: 500, delivered: 500, missing: 0 })
  await expect
    .poll(async () => (await fleet.client.deliveries.getLag({ useCase: useCase.name })).records, { timeout: 10_000 })
    .toBe(0n)
})

import { setTimeout as sleep } from 'node:timers/promises'
import { Ordering } from '../../../proto/gen/ferry/v1/use_case_pb.ts'
import { certificate } from '../../harness/certificate.ts'
import type { FleetOptions } from '../../harness/fleet.ts'
import { jsonRecords, Topic } from '../../harness/topic.ts'
import { waitForLanes } from '../../harness/use-case.ts'
import { waitUntil } from '../../harness/wait-until.ts'
import { Victim } from '../kafka/victim.ts'
import { type Chaos, scenario } from '../scenario.ts'

const restarted = 'Kafka broker restarted'
const moved = 'Kafka leader moved'
const own: FleetOptions = { ownKafka: true }
const two: FleetOptions = { ownKafka: true, kafka2: true }
const replicated = { topic: { replicationFactor: 2 } }
const twoFlows = [replicated, { ...replicated, ordering: Ordering.KEY }]
const electMsMax = 30_000

scenario('Kafka restarts', { fault: restarted, repeats: 'NONE', fleet: own }, async ({ fleet, random, delivers }) => {
  for (let round = 0; round < 2; round++) {
    await fleet.own.kafka.stop()
    await sleep(random.int(0, 2000))
    await fleet.own.kafka.start()
    await delivers(300)
  }
})

scenario('Kafka is killed', { fault: restarted, repeats: 'NONE', fleet: own }, async ({ fleet, random, delivers }) => {
  await fleet.own.kafka.kill()
  await sleep(random.int(0, 3000))
  await fleet.own.kafka.start()
  await delivers(500)
})

scenario('Kafka freezes for longer than a request may take', { fault: restarted, repeats: 'NONE', fleet: own }, async (chaos) => {
  const { kafka } = chaos.fleet.own
  kafka.pause()
  await sleep(11_000 + chaos.random.int(0, 2000))
  kafka.resume()
  await chaos.delivers(500)
})

scenario(
  'packets between everybody and Kafka get lost',
  { fault: restarted, repeats: 'NONE', fleet: { ...own, links: ['kafka'] } },
  async ({ fleet, random, delivers }) => {
    for (const heldMs of [random.int(500, 3000), 11_000]) {
      fleet.link('kafka').state = 'STALL'
      await sleep(heldMs)
      fleet.link('kafka').state = 'PASS'
      await delivers(300)
    }
  },
)

scenario(
  'one broker of two is killed',
  { fault: moved, repeats: 'NONE', fleet: two, flows: twoFlows },
  async ({ fleet, flows, random, delivers }) => {
    await fleet.own.kafka2.kill()
    await Promise.all(flows.map(({ topic }) => ledBy(topic, [1])))
    await delivers(500)
    await fleet.own.kafka2.start()
    await sleep(random.int(0, 2000))
    await delivers(300)
  },
)

scenario(
  'leaders move from one broker to the other and back',
  {
    ...{ fault: moved, repeats: 'NONE', flows: twoFlows },
    fleet: { ...two, kafkaProperties: { 'leader.imbalance.check.interval.seconds': '1' } },
  },
  async ({ fleet, flows, delivers }) => {
    await fleet.own.kafka2.stop()
    await Promise.all(flows.map(({ topic }) => ledBy(topic, [1])))
    await delivers(200)
    await fleet.own.kafka2.start()
    await Promise.all(flows.map(({ topic }) => ledBy(topic, [1, 2])))
    await delivers(300)
  },
)

/** Until just these brokers lead its partitions. */
const ledBy = (topic: Topic, brokers: readonly number[]): Promise<unknown> =>
  waitUntil(`${topic.name} is led by ${brokers}`, electMsMax, async () => {
    const { topics } = await topic.admin.fetchTopicMetadata({ topics: [topic.name] })
    const leaders = new Set(topics[0]!.partitions.map((each) => each.leader))
    return leaders.size === brokers.length && brokers.every((each) => leaders.has(each))
  })

scenario(
  'a partition without a leader keeps no other back',
  { fault: moved, repeats: 'NONE', fleet: two, flows: twoFlows },
  leaderless,
)

/** Partitions that only the second broker has have no leader while it is away: not when the use case is known, nor when it is new. */
async function leaderless({ fleet, flows, startFlow }: Chaos): Promise<void> {
  const known = await startFlow({ partitions: 4 })
  await known.delivers(100)
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 4)
  await topic.publish([0, 1, 2, 3].flatMap((partition) => jsonRecords(100).map((each) => ({ ...each, partition }))))
  const led = (await topic.admin.fetchTopicMetadata({ topics: [topic.name] })).topics[0]!.partitions
  const away = led.filter((each) => each.leader === 2).map((each) => each.partitionId)
  await fleet.own.kafka2.kill()
  await Promise.all(flows.slice(0, 2).map((flow) => ledBy(flow.topic, [1])))
  await using fresh = await Victim.register(fleet, topic)
  await fresh.delivers(400 - away.length * 100)
  await waitUntil('what has no leader says so', electMsMax, async () => {
    const lanes = await Promise.all(away.map((partition) => fresh.lane(partition)))
    return lanes.every((lane) => /no broker leads it/.test(lane.message))
  })
  await Promise.all(flows.slice(0, 2).map((flow) => flow.delivers(200)))
  await fleet.own.kafka2.start()
  const { delivered } = await certificate(fleet, fresh.useCase, 30_000)
  if (delivered !== 400) throw new Error(`${delivered} of 400 records of the new use case were delivered`)
  await known.delivers(100)
}

scenario('partitions are added', { fault: 'Kafka partitions added', repeats: 'NONE', fast: true }, async (chaos) => {
  const { flows, random, delivers } = chaos
  for (const flow of flows) await flow.widen(random.int(1, 3))
  await delivers(300)
})

scenario('a topic is deleted and created again', { fault: 'Kafka topic recreated', repeats: 'NONE' }, recreate)

async function recreate({ fleet, delivers }: Chaos): Promise<void> {
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
  await topic.publish(jsonRecords(400))
  await using victim = await Victim.register(fleet, topic)
  await certificate(fleet, victim.useCase, 20_000)
  await topic.admin.deleteTopics({ topics: [topic.name] })
  await victim.saysWhy(0, /there is no topic/)
  await using again = await topic.recreate()
  // More than the old one had: its offsets alone do not tell that it is another one.
  await again.publish(jsonRecords(1000, { from: 5000 }))
  for (const partition of [0, 1]) await victim.saysWhy(partition, /was deleted and created again/)
  await delivers(300)
  // Nor does another owner read it.
  const { worker } = await victim.lane(0)
  for (const each of [...fleet.workers]) each.kill('SIGTERM')
  await Promise.all([fleet.startWorker(), fleet.startWorker()])
  await waitUntil('another worker has the lane', 30_000, async () => ![worker, ''].includes((await victim.lane(0)).worker))
  await victim.saysWhy(0, /was deleted and created again/)
  if (victim.endpoint.delivered !== 400) throw new Error(`${victim.endpoint.delivered} records were delivered, not the old 400`)
  // The way out.
  await fleet.client.useCases.deleteUseCase({ name: victim.useCase.name, force: true })
  await using next = await Victim.register(fleet, again, await freed(fleet, victim.useCase.name))
  await waitForLanes(fleet, next.useCase, 2)
  const { delivered, missing } = await certificate(fleet, next.useCase, 20_000)
  if (delivered !== 1000 || missing > 0)
    throw new Error(`${delivered} of the new 1000 records were delivered, ${missing} are missing`)
}

/** Until nobody has the name any more. */
async function freed(fleet: Chaos['fleet'], name: string): Promise<string> {
  await waitUntil(`${name} is deleted`, 20_000, () =>
    fleet.client.useCases.getUseCase({ name }).then(
      () => false,
      () => true,
    ),
  )
  return name
}

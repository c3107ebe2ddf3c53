import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import kafkajs from 'kafkajs'
import { Ordering } from '../../../proto/gen/ferry/v1/use_case_pb.ts'
import { encodeBatch } from '../../../worker/source/sample-batch.ts'
import { certificate } from '../../harness/certificate.ts'
import type { FleetOptions } from '../../harness/fleet.ts'
import { jsonRecords, Topic } from '../../harness/topic.ts'
import { waitForPause } from '../../harness/use-case.ts'
import { waitUntil } from '../../harness/wait-until.ts'
import { produceBatch } from '../kafka/produce-batch.ts'
import { breakBatch, cutBefore, readSegment } from '../kafka/segment.ts'
import { Victim } from '../kafka/victim.ts'
import { type Chaos, scenario } from '../scenario.ts'

const own: FleetOptions = { ownKafka: true }
const outOfRange = 'Kafka offset out of range'
const undecodable = 'Kafka: undecodable batch'
const odd = 'Kafka: empty, huge and aborted batches'
const settleMsMax = 60_000
/** In a batch's attributes. */
const gzip = 1

scenario('records expire before they are read', { fault: outOfRange, repeats: 'NONE' }, async ({ fleet, delivers }) => {
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  await topic.publish(jsonRecords(50))
  await using victim = await Victim.register(fleet, topic)
  await certificate(fleet, victim.useCase, settleMsMax)
  await fleet.client.useCases.pauseUseCase({ name: victim.useCase.name, reason: 'for longer than the retention' })
  await waitForPause(fleet, victim.useCase)
  await topic.publish(jsonRecords(100, { from: 50 }))
  await topic.forgetBelow(0, 120)
  await fleet.client.useCases.resumeUseCase({ name: victim.useCase.name })
  const counts = await certificate(fleet, victim.useCase, settleMsMax)
  expectCounts(counts, { offsets: 150, holes: 70, delivered: 80, missing: 0, repeated: 0 })
  await expectRetention(fleet, victim, [[50, 119]])
  await delivers(200)
})

scenario('the log is cut below the cursor', { fault: outOfRange, repeats: 'NONE', fleet: own }, async (chaos) => {
  const { fleet, delivers } = chaos
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  for (let batch = 0; batch < 10; batch++) await topic.publish(jsonRecords(20, { from: batch * 20 }))
  await using victim = await Victim.register(fleet, topic)
  await certificate(fleet, victim.useCase, settleMsMax)
  await fleet.own.kafka.stop()
  cutBefore(fleet, topic.name, 0, readSegment(fleet, topic.name, 0)[5]!)
  await fleet.own.kafka.start()
  await victim.saysWhy(0, /was cut at offset 100, below the lane's position 200/)
  await delivers(300)
})

scenario('a batch is broken on the disk', { fault: undecodable, repeats: 'NONE', fleet: own }, brokenBatch)

async function brokenBatch({ fleet, flows, notes }: Chaos): Promise<void> {
  const usual = await rates(flows)
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
  for (let batch = 0; batch < 10; batch++)
    await topic.publish([0, 1].flatMap((partition) => jsonRecords(20).map((each) => ({ ...each, partition }))))
  const broken = readSegment(fleet, topic.name, 0)[4]!
  await fleet.own.kafka.stop()
  breakBatch(fleet, topic.name, 0, broken)
  await fleet.own.kafka.start()
  await using victim = await Victim.register(fleet, topic)
  const message = await victim.saysWhy(0, /cannot be read: its CRC is/)
  // What lies before it is delivered, and its topic's other partition.
  await victim.delivers(broken.firstOffset + 200)
  const beside = await rates(flows)
  notes.push(`records a second: ${usual} usually, ${beside} beside the broken batch`)
  if (beside.some((rate, at) => rate < usual[at]! * 0.85)) throw new Error('the other lanes do not go on at their rate')
  const [, before] = /before offset (\d+)/.exec(message)!
  // The way out that the message names.
  await topic.forgetBelow(0, Number(before))
  await victim.isWell(0)
  const counts = await certificate(fleet, victim.useCase, settleMsMax)
  const lost = broken.lastOffset - broken.firstOffset + 1
  expectCounts(counts, { offsets: 400, holes: lost, delivered: 400 - lost, missing: 0, repeated: 0 })
  await expectRetention(fleet, victim, [[broken.firstOffset, broken.lastOffset]])
}

/** Records a second that each flow delivers. */
async function rates(flows: Chaos['flows']): Promise<number[]> {
  const seconds = 5
  const before = flows.map((flow) => flow.endpoint.successes)
  await sleep(seconds * 1000)
  return flows.map((flow, at) => (flow.endpoint.successes - before[at]!) / seconds)
}

scenario('compaction empties batches', { fault: odd, repeats: 'NONE', fleet: own }, async ({ fleet, startFlow }) => {
  const configEntries = Object.entries({
    ...{ 'cleanup.policy': 'compact', 'segment.ms': '100', 'min.cleanable.dirty.ratio': '0.001', 'max.message.bytes': '2000000' },
  }).map(([name, value]) => ({ name, value }))
  const prepare = async (topic: Topic): Promise<void> => {
    const keys = 50
    for (let batch = 0; batch < 4; batch++) await topic.publish(jsonRecords(keys, { keys }))
    // The last batch of a producer stays, without its records. What follows it does not fit into what is asked for at first.
    await using other = await topic.reopen(1)
    await other.publish([{ key: 'large', value: JSON.stringify('x'.repeat(1_100_000)) }])
    await waitUntil('compaction has emptied a batch', settleMsMax, async () => {
      await other.publish(jsonRecords(keys, { keys, from: keys * 4 }))
      return readSegment(fleet, topic.name, 0).some((batch) => batch.records === 0)
    })
    // Nothing may vanish any more: the judge reads the topic again.
    await topic.admin.alterConfigs({
      validateOnly: false,
      resources: [
        {
          type: kafkajs.ConfigResourceTypes.TOPIC,
          name: topic.name,
          configEntries: [{ name: 'cleanup.policy', value: 'delete' }],
        },
      ],
    })
    await sleep(2000)
  }
  await startFlow({ ordering: Ordering.KEY, partitions: 1, perSecond: 0, topic: { configEntries }, prepare })
})

scenario('a batch has 200,000 records', { fault: odd, repeats: 'NONE' }, async ({ fleet, delivers }) => {
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
  const records = Array.from({ length: 200_000 }, (_, offset) => ({
    offset,
    value: offset % 200 === 0 ? `{"at":${offset}}` : null,
  }))
  const batch = encodeBatch({ first: 0, records, timestamp: Date.now(), attributes: gzip, compress: (bytes) => gzipSync(bytes) })
  await produceBatch(fleet.stack.kafkaBrokers[0]!, topic.name, 0, batch)
  await topic.publish(jsonRecords(100))
  await using victim = await Victim.register(fleet, topic)
  const counts = await certificate(fleet, victim.useCase, 60_000)
  expectCounts(counts, { offsets: 200_100, delivered: 1100, skipped: 199_000, missing: 0, repeated: 0 })
  await delivers(200)
})

scenario('transactions are aborted across batches', { fault: odd, repeats: 'NONE' }, async ({ startFlow }) => {
  const flow = await startFlow({ partitions: 2, perSecond: 100, prepare: transactions })
  await transactions(flow.topic)
  await flow.delivers(200)
})

/** Two transactions of several batches each, one within the other, with ordinary records between; the outer one is aborted. */
async function transactions(topic: Topic): Promise<void> {
  const producers = ['outer', 'inner'].map((name) =>
    topic.kafka.producer({
      ...{ transactionalId: `${topic.name}-${name}`, maxInFlightRequests: 1, idempotent: true },
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    }),
  )
  for (const producer of producers) await producer.connect()
  const [outer, inner] = [await producers[0]!.transaction(), await producers[1]!.transaction()]
  const send = (transaction: typeof outer, text: string) =>
    transaction.send({ topic: topic.name, messages: [0, 1].map((partition) => ({ partition, value: `"${text}"` })) })
  for (let batch = 0; batch < 5; batch++) {
    await send(outer, 'aborted')
    await send(inner, 'committed')
    await topic.publish(jsonRecords(10))
  }
  await inner.commit()
  await send(outer, 'aborted')
  await outer.abort()
  for (const producer of producers) await producer.disconnect()
  // Behind the last marker: the judge reads up to a record.
  await topic.publish([0, 1].map((partition) => ({ partition, value: '"last"' })))
}

scenario(
  'an open transaction ends by its timeout',
  {
    ...{ fault: odd, repeats: 'NONE' },
    fleet: { ...own, kafkaProperties: { 'transaction.abort.timed.out.transaction.cleanup.interval.ms': '500' } },
  },
  async ({ startFlow }) => {
    const flow = await startFlow({ partitions: 2, perSecond: 0 })
    const producer = flow.topic.kafka.producer({
      ...{ transactionalId: flow.topic.name, transactionTimeout: 6000, maxInFlightRequests: 1, idempotent: true },
      createPartitioner: kafkajs.Partitioners.DefaultPartitioner,
    })
    await producer.connect()
    const transaction = await producer.transaction()
    await transaction.send({ topic: flow.topic.name, messages: [{ partition: 0, value: '"never"' }] })
    await flow.topic.publish([0, 1].flatMap((partition) => jsonRecords(100).map((each) => ({ ...each, partition }))))
    await flow.delivers(100)
    await sleep(2000)
    if (flow.endpoint.requests.some((each) => each.partition === 0))
      throw new Error('records behind an open transaction were sent')
    await flow.delivers(100)
    await producer.disconnect()
    await flow.topic.publish(jsonRecords(10).map((each) => ({ ...each, partition: 0 })))
  },
)

type Counts = Awaited<ReturnType<typeof certificate>>

function expectCounts(counts: Counts, expected: Partial<Counts>): void {
  for (const [name, value] of Object.entries(expected)) {
    const is = counts[name as keyof Counts]
    if (is !== value) throw new Error(`${name} is ${is}, not ${value}: ${JSON.stringify(counts)}`)
  }
}

async function expectRetention(
  { sql }: Chaos['fleet'],
  { useCase }: Victim,
  runs: readonly (readonly number[])[],
): Promise<void> {
  const rows = await sql.rows<{ runs: number[][] }>(`SELECT runs FROM ranges WHERE uid = '${useCase.uid}' AND kind = 'RETENTION'`)
  const found = JSON.stringify(rows.flatMap((each) => each.runs))
  if (found !== JSON.stringify(runs)) throw new Error(`RETENTION ranges are ${found}, not ${JSON.stringify(runs)}`)
}

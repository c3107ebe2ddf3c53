import { setTimeout as sleep } from 'node:timers/promises'
import { Code, ConnectError } from '@connectrpc/connect'
import { certificate } from '../../harness/certificate.ts'
import { Endpoint } from '../../harness/endpoint.ts'
import { judge } from '../../harness/judge.ts'
import { jsonRecords, Topic } from '../../harness/topic.ts'
import { registerUseCase, specOf } from '../../harness/use-case.ts'
import { waitUntil } from '../../harness/wait-until.ts'
import { call, leader, livingClient, replaceLeader } from '../leaders.ts'
import { type Chaos, scenario } from '../scenario.ts'

const records = 400
const waiting = records / 4
const goneMsMax = 40_000

scenario(
  'a use case is deleted with parked deliveries while the leader is killed, and created again',
  {
    fault: 'use case deleted with parked deliveries; created again under the same name',
    ...{ repeats: 'NONE', fleet: { controlPlanes: 3, links: ['worker-control-plane'] }, timeoutMs: 300_000 },
  },
  async (chaos) => {
    for (let round = 0; round < 3; round++) await deleteAndCreate(chaos)
  },
)

async function deleteAndCreate({ fleet, random }: Chaos): Promise<void> {
  await using endpoint = await Endpoint.start(({ offset }) => ({ status: offset % 4 === 0 ? 503 : 200 }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
  await topic.publish(jsonRecords(records).map((each, index) => ({ ...each, partition: index % 2 })))
  const first = await registerUseCase(fleet, specOf(topic, endpoint, { retry: { initialInterval: { seconds: 3600n } } }))
  const { name, uid } = first
  await waitUntil('a quarter of it waits', goneMsMax, async () => {
    const { parked, records: lag } = await livingClient(fleet).deliveries.getLag({ useCase: name })
    return parked === BigInt(waiting) && lag === 0n
  })
  const victim = await leader(fleet)
  await call(fleet, 'delete', (client) => client.useCases.deleteUseCase({ name, force: true }))
  await sleep(random.int(0, 600))
  await replaceLeader(fleet, victim)
  await waitUntil(
    'it is gone',
    goneMsMax,
    async () => (await codeOf(livingClient(fleet).useCases.getUseCase({ name }))) === Code.NotFound,
  )
  const { problems, outcomes } = await judge(fleet, first, topic, endpoint)
  const payloads = await fleet.sql.number(`SELECT uniqExact(partition, offset) FROM payloads WHERE uid = '${uid}'`)
  refuse([
    ...problems,
    ...(outcomes.SKIPPED === waiting ? [] : [`${outcomes.SKIPPED} are SKIPPED, ${waiting} waited`]),
    ...(payloads === waiting ? [] : [`the bytes of ${payloads} are kept, ${waiting} waited`]),
  ])
  await again(fleet, topic, first)
}

async function again(
  fleet: Chaos['fleet'],
  topic: Topic,
  { name, uid }: { readonly name: string; readonly uid: string },
): Promise<void> {
  await using endpoint = await Endpoint.start()
  const second = await registerUseCase(fleet, specOf(topic, endpoint), name)
  const { delivered, attempts, repeated } = await certificate(fleet, second, goneMsMax)
  const { problems } = await judge(fleet, second, topic, endpoint)
  refuse([
    ...problems,
    ...(second.uid === uid ? ['it has the uid of the one before'] : []),
    ...(delivered === records && attempts === records && repeated === 0
      ? []
      : [`${delivered} delivered by ${attempts} attempts, ${repeated} repeated, of ${records}`]),
  ])
}

function refuse(problems: readonly string[]): void {
  if (problems.length > 0) throw new Error(problems.join('\n'))
}

const codeOf = (asked: Promise<unknown>): Promise<Code | undefined> =>
  asked.then(
    () => undefined,
    (error: unknown) => ConnectError.from(error).code,
  )

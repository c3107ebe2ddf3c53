import { randomBytes } from 'node:crypto'
import { connectFerry, type FerryClient } from '../deploy/local/demo/ferry-client.ts'
import type { Screen } from '../deploy/local/demo/screen.ts'
import { type ControlPlane, type FleetStack, startControlPlane } from '../deploy/local/fleet.ts'
import type { LocalProcess } from '../deploy/local/local-process.ts'
import { startStack } from '../deploy/local/stack.ts'
import { AttemptRows } from './attempt-rows.ts'
import type { PartProcess } from './measure.ts'
import { type NginxSink, startNginx } from './nginx.ts'
import { Topics } from './topics.ts'

const readyMsMax = 60_000
const stopMsMax = 30_000

/** Addresses of what runs already; what is empty is started. */
export interface GivenAddresses {
  readonly kafkaBrokers: string
  readonly redisUrl: string
  readonly clickhouseUrl: string
}

/** Everything that a load test stands on. */
export interface LoadTestParts {
  readonly dataDir: string
  readonly stack: FleetStack
  readonly database: string
  readonly endpoint: NginxSink
  readonly controlPlane: ControlPlane
  readonly client: FerryClient
  readonly topics: Topics
  readonly rows: AttemptRows
  /** Those that were started here, and this process. */
  readonly processes: readonly PartProcess[]
  /** For a topic, group, use case or process: what is given may hold those of others. */
  uniqueName(kind: string): string
  /** Ends the process with the load test, if it still runs then. */
  keep<P extends LocalProcess>(process: P): P
}

/** What was started is put on `closing` at once, so that all of it ends however far this comes. */
export async function startParts(
  dataDir: string,
  keepData: boolean,
  given: GivenAddresses,
  screen: Screen,
  closing: AsyncDisposableStack,
): Promise<LoadTestParts> {
  const suffix = randomBytes(3).toString('hex')
  const database = `ferry_loadtest_${suffix}`
  let names = 0
  const keep = <P extends LocalProcess>(process: P): P => {
    closing.defer(async () => void (await process.stop(stopMsMax)))
    return process
  }
  const { stack, processes } = await screen.step('Kafka, Redis and ClickHouse', () => startOrUse(dataDir, given, closing))
  const rows = new AttemptRows(stack.clickhouseUrl, database)
  const topics = new Topics(stack.kafkaBrokers)
  closing.defer(() => rows.close())
  if (given.clickhouseUrl !== '' && !keepData) closing.defer(() => rows.dropDatabase())
  if (given.kafkaBrokers !== '' && !keepData) closing.defer(() => topics.removeCreated())
  const controlPlane = keep(await startControlPlane(stack, { name: 'control-plane', dataDir, database }))
  await screen.step("Ferry's control plane", () => controlPlane.waitReady(readyMsMax))
  const client = connectFerry(controlPlane.grpcAddress)
  closing.defer(() => client.close())
  const endpoint = await screen.step('the endpoint: nginx', () => startNginx(dataDir))
  keep(endpoint.process)
  const own = [controlPlane, endpoint.process].map(({ name, pid }) => ({ name, pid }))
  return {
    ...{ dataDir, stack, database, endpoint, controlPlane, client, topics, rows, keep },
    processes: [...processes, ...own, { name: 'loadtest', pid: process.pid }],
    uniqueName: (kind) => `${kind}-${suffix}-${++names}`,
  }
}

async function startOrUse(
  dataDir: string,
  { kafkaBrokers, redisUrl, clickhouseUrl }: GivenAddresses,
  closing: AsyncDisposableStack,
): Promise<{ stack: FleetStack; processes: PartProcess[] }> {
  const wanted = { kafka: kafkaBrokers === '', redis: redisUrl === '', clickhouse: clickhouseUrl === '' }
  const names = (['kafka', 'redis', 'clickhouse'] as const).filter((name) => wanted[name])
  const own = names.length > 0 ? await startStack({ dataDir, ...wanted, onDeath: console.error }) : undefined
  closing.defer(async () => own?.stop())
  const stack = {
    kafkaBrokers: wanted.kafka ? own!.kafkaBrokers : kafkaBrokers.split(','),
    redisUrl: wanted.redis ? own!.redisUrl : redisUrl,
    clickhouseUrl: wanted.clickhouse ? own!.clickhouseUrl : clickhouseUrl,
  }
  return { stack, processes: names.map((name) => ({ name, pid: own![name].pid })) }
}

import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { FleetStack } from '../fleet.ts'
import { type ControlPlane, fleetDatabase, startControlPlane, startWorker, type Worker } from '../fleet.ts'
import { freePort } from '../free-port.ts'
import type { LocalProcess } from '../local-process.ts'
import { type Stack, startStack } from '../stack.ts'
import { connectFerry, type FerryClient } from './ferry-client.ts'
import { NewService } from './new-service-client.ts'
import type { NewServiceOptions } from './new-service-contract.ts'
import { OldService } from './old-service.ts'

const readyMsMax = 60_000
const stopMsMax = 10_000
const workerCount = 2

/** Addresses of what runs already; what is empty is started. */
export interface GivenAddresses {
  readonly kafkaBrokers: string
  readonly redisUrl: string
  readonly clickhouseUrl: string
}

export interface Ferry {
  readonly controlPlane: ControlPlane
  readonly workers: readonly Worker[]
  readonly client: FerryClient
}

/** Starts the parts of the demo, and stops what it has started, however far it came. */
export class DemoParts {
  readonly dataDir: string
  /** Put behind names that could be taken where not all parts are the demo's own; else empty. */
  readonly suffix: string
  readonly #given: GivenAddresses
  /** In the order in which they are to end. */
  readonly #processes: LocalProcess[] = []
  readonly #closers: (() => void)[] = []
  #stack: Promise<Stack> | undefined
  #isStopping = false

  constructor(dataDir: string, given: GivenAddresses) {
    this.dataDir = dataDir
    this.#given = given
    this.suffix = Object.values(given).some((each) => each !== '') ? `-${randomBytes(3).toString('hex')}` : ''
  }

  get isStopping(): boolean {
    return this.#isStopping
  }

  get database(): string {
    return fleetDatabase + this.suffix.replace('-', '_')
  }

  /** Kafka, Redis and ClickHouse. `onDeath` is told when one of them ends by itself. */
  async startStack(onDeath: (message: string) => void): Promise<FleetStack> {
    const { kafkaBrokers, redisUrl, clickhouseUrl } = this.#given
    const own = { kafka: kafkaBrokers === '', redis: redisUrl === '', clickhouse: clickhouseUrl === '' }
    if (Object.values(own).includes(true)) this.#stack = startStack({ dataDir: this.dataDir, ...own, onDeath })
    const stack = await this.#stack
    return {
      kafkaBrokers: own.kafka ? stack!.kafkaBrokers : kafkaBrokers.split(','),
      redisUrl: own.redis ? stack!.redisUrl : redisUrl,
      clickhouseUrl: own.clickhouse ? stack!.clickhouseUrl : clickhouseUrl,
    }
  }

  async startFerry(stack: FleetStack): Promise<Ferry> {
    const { dataDir, database } = this
    const controlPlane = await startControlPlane(stack, { name: 'control-plane', dataDir, database })
    this.#processes.push(controlPlane)
    await controlPlane.waitReady(readyMsMax)
    const workers: Worker[] = []
    for (let number = 1; number <= workerCount; number++) {
      workers.push(await startWorker(stack, [controlPlane], { name: `worker-${number}`, dataDir, database }))
    }
    this.#processes.unshift(...workers)
    await Promise.all(workers.map((worker) => worker.waitReady(readyMsMax)))
    const client = connectFerry(controlPlane.grpcAddress)
    this.#closers.push(() => client.close())
    return { controlPlane, workers, client }
  }

  openOldService(stack: FleetStack, topic: string): OldService {
    const service = new OldService(join(this.dataDir, 'old-service.sqlite'), stack.kafkaBrokers, topic)
    this.#closers.push(() => service.close())
    return service
  }

  async startNewService(rows: number, outage: NewServiceOptions['outage']): Promise<NewService> {
    const [port, controlPort] = [await freePort(), await freePort()]
    const file = join(this.dataDir, 'new-service.sqlite')
    const service = new NewService(this.dataDir, { file, rows, port, controlPort, outage })
    this.#processes.push(service.process)
    await service.process.waitReady(readyMsMax)
    return service
  }

  /** Everything in order, by force what does not end in time. */
  async stop(): Promise<void> {
    this.#isStopping = true
    for (const close of this.#closers.splice(0)) close()
    for (const each of this.#processes) await each.stop(stopMsMax)
    const stack = await this.#stack?.catch(() => undefined)
    await stack?.stop()
  }
}

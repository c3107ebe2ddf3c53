import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll } from 'vitest'
import { connectFerry, type FerryClient } from '../../deploy/local/demo/ferry-client.ts'
import { type ControlPlane, type FleetStack, startControlPlane, startWorker, type Worker } from '../../deploy/local/fleet.ts'
import type { Stack } from '../../deploy/local/stack.ts'
import { privateStack, sharedStack } from '../stack.ts'
import { keepLogs, logDir } from './keep-logs.ts'
import { Sql } from './sql.ts'

type Env = Readonly<Record<string, string>>

export interface FleetOptions {
  readonly controlPlanes?: number
  readonly workers?: number
  /** Over the short timings below. */
  readonly controlPlaneEnv?: Env
  readonly workerEnv?: Env
  /** For this fleet alone, to break. Redis is always its own. */
  readonly ownClickhouse?: boolean
  readonly ownKafka?: boolean
}

const readyMsMax = 30_000
const stopMsMax = 15_000

/** Ferry's timings, shortened where they are not what is tested. */
const controlPlaneTimings: Env = {
  FERRY_LEADER_LEASE: '2s',
  FERRY_HEARTBEAT_INTERVAL: '200ms',
  FERRY_HEARTBEAT_TIMEOUT: '1s',
  FERRY_GATHER_TIME: '300ms',
  FERRY_PARTITIONS_INTERVAL: '500ms',
  FERRY_USE_CASES_INTERVAL: '200ms',
}
const workerTimings: Env = {
  FERRY_HEARTBEAT: '200ms',
  FERRY_CHECKPOINT: '300ms',
  FERRY_GROUP_COMMIT: '500ms',
  FERRY_LOG_FLUSH: '200ms',
}

/** For tests in which a worker must lose its lanes soon. Others keep the default: a busy machine must not end a lease. */
export const shortLease: Env = { FERRY_LEASE: '3s', FERRY_INSERT_TIMEOUT: '2500ms' }

/** Control planes and workers as processes of their own, on a Redis and a database of their own. */
export class Fleet implements AsyncDisposable {
  readonly stack: FleetStack
  readonly own: Stack
  readonly sql: Sql
  readonly controlPlanes: ControlPlane[] = []
  readonly workers: Worker[] = []
  readonly #database: string
  readonly #options: FleetOptions
  readonly #dataDir = logDir()
  readonly #clients = new Map<string, FerryClient>()
  #started = 0

  private constructor(stack: FleetStack, own: Stack, options: FleetOptions) {
    this.stack = stack
    this.own = own
    this.#options = options
    this.#database = `e2e_${randomBytes(5).toString('hex')}`
    this.sql = new Sql(stack.clickhouseUrl, this.#database)
  }

  static async start(options: FleetOptions = {}): Promise<Fleet> {
    const shared = await sharedStack()
    const { ownClickhouse = false, ownKafka = false } = options
    const own = await privateStack({ redis: true, clickhouse: ownClickhouse, kafka: ownKafka })
    const clickhouseUrl = ownClickhouse ? own.clickhouseUrl : shared.clickhouseUrl
    const kafkaBrokers = ownKafka ? own.kafkaBrokers : shared.kafkaBrokers
    const fleet = new Fleet({ kafkaBrokers, redisUrl: own.redisUrl, clickhouseUrl }, own, options)
    try {
      for (let i = 0; i < (options.controlPlanes ?? 1); i++) await fleet.startControlPlane()
      await Promise.all(Array.from({ length: options.workers ?? 1 }, () => fleet.startWorker()))
    } catch (error) {
      keepLogs()
      await fleet[Symbol.asyncDispose]()
      throw error
    }
    return fleet
  }

  /** To the first control plane. */
  get client(): FerryClient {
    return this.clientOf(this.controlPlanes[0]!)
  }

  clientOf({ grpcAddress }: ControlPlane): FerryClient {
    const client = this.#clients.get(grpcAddress) ?? connectFerry(grpcAddress)
    this.#clients.set(grpcAddress, client)
    return client
  }

  /** Resolves when it takes calls. `ports`: those of an earlier life. */
  async startControlPlane(ports: ControlPlane['ports'] | undefined = undefined): Promise<ControlPlane> {
    const env = { ...controlPlaneTimings, ...this.#options.controlPlaneEnv }
    const started = await startControlPlane(this.stack, { ...this.#common('control-plane'), env, ...(ports && { ports }) })
    const at = ports === undefined ? -1 : this.controlPlanes.findIndex((each) => each.ports.grpc === ports.grpc)
    if (at >= 0) this.controlPlanes[at] = started
    else this.controlPlanes.push(started)
    await started.waitReady(readyMsMax)
    return started
  }

  /** Resolves when it has reached a control plane. */
  async startWorker(env: Env = {}): Promise<Worker> {
    const all = { ...workerTimings, ...this.#options.workerEnv, ...env }
    const started = await startWorker(this.stack, this.controlPlanes, { ...this.#common('worker'), env: all })
    this.workers.push(started)
    await started.waitReady(readyMsMax)
    return started
  }

  /** It was killed and stays away: nobody is asked there any more. */
  forget(controlPlane: ControlPlane): void {
    this.controlPlanes.splice(this.controlPlanes.indexOf(controlPlane), 1)
  }

  #common(kind: string) {
    return { name: `${kind}-${++this.#started}`, dataDir: this.#dataDir, database: this.#database }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients.values()) client.close()
    // Nothing of this fleet is needed any more: no orderly end, but none that outlives its Redis either.
    for (const each of [...this.workers, ...this.controlPlanes]) each.kill('SIGKILL')
    await Promise.all([...this.workers, ...this.controlPlanes].map((each) => each.waitExit(stopMsMax)))
    if (this.#options.ownClickhouse !== true) await this.sql.dropDatabase()
    await (this.own as Stack & AsyncDisposable)[Symbol.asyncDispose]()
  }
}

/** One fleet for all tests of a file. Call it at the top; what it answers gives the fleet within tests. */
export function fleetOfFile(options: FleetOptions = {}): () => Fleet {
  let fleet: Fleet | undefined
  beforeAll(async () => {
    fleet = await Fleet.start(options)
  })
  afterAll(async () => {
    await fleet?.[Symbol.asyncDispose]()
  })
  return () => fleet!
}

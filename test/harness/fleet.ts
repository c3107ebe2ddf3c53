import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { afterAll, beforeAll } from 'vitest'
import { connectFerry, type FerryClient } from '../../deploy/local/demo/ferry-client.ts'
import { type ControlPlane, type FleetStack, startControlPlane, startWorker, type Worker } from '../../deploy/local/fleet.ts'
import type { Stack } from '../../deploy/local/stack.ts'
import { privateStack, sharedStack } from '../stack.ts'
import { keepLogs, logDir } from './keep-logs.ts'
import { Link } from './link.ts'
import { RedisCluster } from './redis-cluster.ts'
import { SmallDisk } from './small-disk.ts'
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
  /** A second broker beside it; needs ownKafka. */
  readonly kafka2?: boolean
  /** Over the own brokers' server.properties. */
  readonly kafkaProperties?: Readonly<Record<string, string>>
  /** The data of one of its own parts lie on a small disk of their own. */
  readonly smallDisk?: { readonly of: 'redis' | 'clickhouse'; readonly bytesMax: number }
  /** Connections that can be disturbed. `kafka`: everybody's, also the test's; needs ownKafka. */
  readonly links?: readonly LinkName[]
  /** Each control plane reaches Redis by a link of its own: see redisLinkOf. */
  readonly ownRedisLinks?: boolean
  /** Everything is kept in a Redis Cluster instead; links to Redis lead nowhere then. */
  readonly redisCluster?: boolean
}

export type LinkName =
  | 'worker-redis'
  | 'worker-clickhouse'
  | 'worker-control-plane'
  | 'control-plane-redis'
  | 'control-plane-clickhouse'
  | 'kafka'

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
  readonly #links: ReadonlyMap<LinkName, Link>
  /** By the gRPC port of their control plane. */
  readonly #redisLinks = new Map<number, Link>()
  #cluster: RedisCluster | undefined
  #disk: SmallDisk | undefined
  #started = 0
  #balanced = 0
  #redisPort: number | undefined
  #onlyTo: ControlPlane | undefined

  private constructor(stack: FleetStack, own: Stack, options: FleetOptions, links: ReadonlyMap<LinkName, Link>) {
    this.stack = stack
    this.own = own
    this.#links = links
    this.#options = options
    this.#database = `e2e_${randomBytes(5).toString('hex')}`
    this.sql = new Sql(stack.clickhouseUrl, this.#database)
  }

  static async start(options: FleetOptions = {}): Promise<Fleet> {
    const shared = await sharedStack()
    const { ownClickhouse = false, ownKafka = false, kafka2 = false } = options
    let ports: ReadonlyMap<LinkName, () => number> = new Map()
    const links = new Map<LinkName, Link>()
    for (const name of options.links ?? []) links.set(name, await Link.open(() => ports.get(name)!()))
    const kafkaLink = links.get('kafka')
    const advertised = kafkaLink && { 'advertised.listeners': `PLAINTEXT://127.0.0.1:${kafkaLink.port}` }
    let disk: SmallDisk | undefined
    const own = await privateStack(
      {
        ...{ redis: true, clickhouse: ownClickhouse, kafka: ownKafka, kafka2 },
        kafkaProperties: { ...options.kafkaProperties, ...advertised },
      },
      (dataDir) => {
        const { smallDisk } = options
        if (smallDisk !== undefined) disk = SmallDisk.mount(join(dataDir, smallDisk.of), smallDisk.bytesMax)
        return disk
      },
    )
    const clickhouseUrl = ownClickhouse ? own.clickhouseUrl : shared.clickhouseUrl
    const kafkaBrokers = ownKafka ? own.kafkaBrokers : shared.kafkaBrokers
    const cluster = options.redisCluster ? await RedisCluster.start() : undefined
    const redisUrl = cluster?.url ?? own.redisUrl
    const fleet = new Fleet({ kafkaBrokers, redisUrl, clickhouseUrl }, own, options, links)
    fleet.#cluster = cluster
    fleet.#disk = disk
    const clickhousePort = Number(new URL(clickhouseUrl).port)
    ports = new Map<LinkName, () => number>([
      ['worker-redis', () => fleet.redisPort],
      ['control-plane-redis', () => fleet.redisPort],
      ['worker-clickhouse', () => clickhousePort],
      ['control-plane-clickhouse', () => clickhousePort],
      ['kafka', () => own.kafka.port],
      ['worker-control-plane', () => fleet.#nextControlPlane()],
    ])
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

  /** One that was asked for at the start. */
  link(name: LinkName): Link {
    return this.#links.get(name)!
  }

  /** One control plane's way to Redis, over all its lives; only with ownRedisLinks. */
  redisLinkOf({ ports }: ControlPlane): Link {
    return this.#redisLinks.get(ports.grpc)!
  }

  /** Where a command beside the control planes finds what they have. */
  get addresses(): Env {
    const { redisUrl, clickhouseUrl } = this.stack
    return { FERRY_REDIS_URL: redisUrl, FERRY_CLICKHOUSE_URL: clickhouseUrl, FERRY_CLICKHOUSE_DATABASE: this.#database }
  }

  /** Only with redisCluster. */
  get redisCluster(): RedisCluster {
    return this.#cluster!
  }

  /** Only with smallDisk. */
  get disk(): SmallDisk {
    return this.#disk!
  }

  /** Where the links to Redis lead, and the test's own questions go. */
  get redisPort(): number {
    return this.#redisPort ?? this.own.redis.port
  }

  /** From now on the links to Redis lead to another server, or to the fleet's own again when none is given. */
  leadRedisTo(port: number | undefined): void {
    this.#redisPort = port
    for (const name of ['worker-redis', 'control-plane-redis'] as const) this.#links.get(name)?.cut()
  }

  /** From now on the balancer leads to this control plane only, and to all in turn again when none is given. Needs its link. */
  balanceTo(only: ControlPlane | undefined): void {
    this.#onlyTo = only
    this.link('worker-control-plane').cut()
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
    const link = this.#options.ownRedisLinks === true ? await this.#redisLink(ports) : undefined
    const ownRedis = link && { FERRY_REDIS_URL: `redis://127.0.0.1:${link.port}` }
    const env = { ...controlPlaneTimings, ...this.#linked('control-plane'), ...ownRedis, ...this.#options.controlPlaneEnv }
    const started = await startControlPlane(this.stack, { ...this.#common('control-plane'), env, ...(ports && { ports }) })
    if (link !== undefined) this.#redisLinks.set(started.ports.grpc, link)
    const at = ports === undefined ? -1 : this.controlPlanes.findIndex((each) => each.ports.grpc === ports.grpc)
    if (at >= 0) this.controlPlanes[at] = started
    else this.controlPlanes.push(started)
    await started.waitReady(readyMsMax)
    return started
  }

  /** Resolves when it has reached a control plane. */
  async startWorker(env: Env = {}): Promise<Worker> {
    const all = { ...workerTimings, ...this.#linked('worker'), ...this.#options.workerEnv, ...env }
    const balancer = this.#links.get('worker-control-plane')
    const controlPlanes = balancer === undefined ? this.controlPlanes : [{ grpcAddress: `127.0.0.1:${balancer.port}` }]
    const started = await startWorker(this.stack, controlPlanes, { ...this.#common('worker'), env: all })
    this.workers.push(started)
    await started.waitReady(readyMsMax)
    return started
  }

  /** It was killed and stays away: nobody is asked there any more. */
  forget(controlPlane: ControlPlane): void {
    this.controlPlanes.splice(this.controlPlanes.indexOf(controlPlane), 1)
  }

  async #redisLink(ports: ControlPlane['ports'] | undefined): Promise<Link> {
    const known = ports && this.#redisLinks.get(ports.grpc)
    return known ?? Link.open(() => this.own.redis.port)
  }

  /** A plain TCP balancer: connections go to all in turn, whether they live or not. */
  #nextControlPlane(): number {
    if (this.#onlyTo !== undefined) return this.#onlyTo.ports.grpc
    return this.controlPlanes[this.#balanced++ % this.controlPlanes.length]!.ports.grpc
  }

  #linked(kind: 'worker' | 'control-plane'): Env {
    const redis = this.#links.get(`${kind}-redis`)
    const clickhouse = this.#links.get(`${kind}-clickhouse`)
    return {
      ...(redis && { FERRY_REDIS_URL: `redis://127.0.0.1:${redis.port}` }),
      ...(clickhouse && { FERRY_CLICKHOUSE_URL: `http://127.0.0.1:${clickhouse.port}` }),
    }
  }

  #common(kind: string) {
    return { name: `${kind}-${++this.#started}`, dataDir: this.#dataDir, database: this.#database }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const client of this.#clients.values()) client.close()
    // Nothing of this fleet is needed any more: no orderly end, but none that outlives its Redis either.
    for (const each of [...this.workers, ...this.controlPlanes]) each.kill('SIGKILL')
    await Promise.all([...this.workers, ...this.controlPlanes].map((each) => each.waitExit(stopMsMax)))
    for (const link of [...this.#links.values(), ...this.#redisLinks.values()]) await link[Symbol.asyncDispose]()
    if (this.#options.ownClickhouse !== true) await this.sql.dropDatabase()
    await this.#cluster?.[Symbol.asyncDispose]()
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

// What tests of the fleet share: a database, keys and topics of their own on the shared stack, replicas of the control plane's
// fleet, and workers as far as the fleet knows them.

import { randomBytes } from 'node:crypto'
import { clone, create, type MessageInitShape } from '@bufbuild/protobuf'
import type { Admin, Producer } from 'kafkajs'
import { pino } from 'pino'
import { vi } from 'vitest'
import { createTopic } from '../../deploy/local/create-topic.ts'
import {
  type SourceSchema,
  type UseCase,
  UseCaseSchema,
  UseCaseState,
  UseCaseStatusSchema,
} from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { type ClickHouseClient, connectClickHouse } from '../../runtime/clickhouse.ts'
import { connectKafka, type KafkaClient, openCluster } from '../../runtime/kafka.ts'
import { type LaneId, laneKey, laneKeys, leaseKey } from '../../runtime/lane-keys.ts'
import { connectRedis, type Redis } from '../../runtime/redis.ts'
import { sharedStack } from '../../test/stack.ts'
import { migrate } from '../store/migrate.ts'
import { Fleet } from './fleet.ts'
import { fleetKeys } from './fleet-keys.ts'
import { Grants } from './grants.ts'
import { LaneLog } from './lane-log.ts'
import { LaneStore } from './lane-store.ts'
import type { SessionTimings } from './session-parts.ts'
import { TestWorker } from './test-worker.ts'
import { TopicSource } from './topic-source.ts'

export const silentLog = pino({ level: 'silent' })

export const timings: SessionTimings = {
  heartbeatIntervalMs: 100,
  heartbeatTimeoutMs: 600,
  hurryIntervalMs: 30,
  gatherMs: 0,
  movesMax: 32,
  workersMax: 1000,
  lanesPerWorkerMax: 10_000,
  expelledForMs: 60_000,
  stepIntervalMs: 50,
  useCasesIntervalMs: 50,
  partitionsIntervalMs: 200,
  vanishedGraceMs: 60_000,
}

export const leaderLeaseMs = 900

/** One replica; `kill` ends it as SIGKILL does: nothing is resigned or told. */
export interface Replica {
  readonly fleet: Fleet
  kill(): void
}

export class TestFleet {
  readonly redis: Redis
  readonly clickhouse: ClickHouseClient
  readonly admin: Admin
  readonly producer: Producer
  readonly source: TopicSource
  readonly store: LaneStore
  readonly laneLog: LaneLog
  readonly database: string
  readonly useCases = new Map<string, UseCase>()
  readonly workers: TestWorker[] = []
  readonly replicas: Replica[] = []
  /** Uids that the fleet has finished to delete. */
  readonly finished: string[] = []
  /** Two workers that held a lane at once; there must never be any. */
  readonly conflicts: string[] = []
  readonly #tag = `control-${randomBytes(6).toString('hex')}`
  readonly #deadSource: TopicSource
  readonly #deadLog: LaneLog
  readonly #redisUrl: string
  readonly #connections: Redis[] = []

  private constructor(redisUrl: string, clickhouse: ClickHouseClient, database: string, kafka: KafkaClient) {
    this.#redisUrl = redisUrl
    this.redis = this.connectRedis()
    this.clickhouse = clickhouse
    this.database = database
    this.admin = kafka.kafka.admin()
    // A send that is repeated must not count twice.
    this.producer = kafka.kafka.producer({ idempotent: true, maxInFlightRequests: 1 })
    this.source = new TopicSource(new Map([['default', openCluster(kafka)]]), 10_000)
    this.store = new LaneStore(this.redis)
    this.laneLog = new LaneLog(clickhouse, 10_000)
    const deadKafka = openCluster(connectKafka({ name: 'default', brokers: ['127.0.0.1:1'] }, 'test', 1000, silentLog))
    this.#deadSource = new TopicSource(new Map([['default', deadKafka]]), 1000)
    this.#deadLog = new LaneLog(connectClickHouse('http://127.0.0.1:1', database, 1000), 1000)
  }

  static async open(): Promise<TestFleet> {
    const { redisUrl, clickhouseUrl, kafkaBrokers } = await sharedStack()
    const database = `fleet_${randomBytes(6).toString('hex')}`
    const withLock = <T>(work: () => Promise<T>): Promise<T> => work()
    await migrate({ clickhouseUrl, database, statementTimeoutMs: 30_000, log: silentLog, withLock })
    const clickhouse = connectClickHouse(clickhouseUrl, database, 10_000)
    const test = new TestFleet(
      redisUrl,
      clickhouse,
      database,
      connectKafka({ name: 'default', brokers: kafkaBrokers }, 'test', 10_000, silentLog),
    )
    await Promise.all([test.admin.connect(), test.producer.connect()])
    return test
  }

  connectRedis(): Redis {
    const redis = connectRedis(this.#redisUrl, 2000, silentLog)
    this.#connections.push(redis)
    return redis
  }

  /** A new topic with so many records in each partition. */
  async topic(partitions: number, records = 0): Promise<string> {
    const topic = `fleet-${randomBytes(6).toString('hex')}`
    await createTopic(this.admin, { topic, numPartitions: partitions })
    await this.produce(topic, partitions, records)
    return topic
  }

  async produce(topic: string, partitions: number, records: number): Promise<void> {
    const messages = Array.from({ length: partitions * records }, (_, index) => ({ value: '{}', partition: index % partitions }))
    if (messages.length > 0) await this.producer.send({ topic, messages })
  }

  useCase(topic: string, start?: MessageInitShape<typeof SourceSchema>['start']): UseCase {
    const uid = randomBytes(10).toString('hex')
    const useCase = create(UseCaseSchema, {
      ...{ name: `namespaces/test/useCases/u${uid}`, uid, revision: 1n, status: { state: UseCaseState.ACTIVE } },
      spec: { source: { topic, ...(start && { start }) }, destination: { url: 'http://127.0.0.1:1/' } },
    })
    this.useCases.set(uid, useCase)
    return useCase
  }

  /** Gives a use case another state, as its lifecycle does. */
  setState(useCase: UseCase, state: UseCaseState): void {
    const current = this.useCases.get(useCase.uid)!
    const next = clone(UseCaseSchema, current)
    next.revision++
    next.status = create(UseCaseStatusSchema, { state })
    this.useCases.set(useCase.uid, next)
  }

  lanesOf(useCase: UseCase, partitions: number): LaneId[] {
    return Array.from({ length: partitions }, (_, partition) => ({
      ...{ uid: useCase.uid, cluster: 'default', topic: useCase.spec!.source!.topic, partition },
    }))
  }

  /** `without`: what this replica cannot reach. */
  replica(without: readonly ('kafka' | 'clickhouse')[] = []): Replica {
    const redis = this.connectRedis()
    const keys = fleetKeys(this.#tag)
    const fleet = new Fleet({
      ...{ redis, keys, log: silentLog },
      source: without.includes('kafka') ? this.#deadSource : this.source,
      laneLog: without.includes('clickhouse') ? this.#deadLog : this.laneLog,
      ...{ replica: randomBytes(6).toString('hex'), address: () => '127.0.0.1:1', leaseMs: leaderLeaseMs },
      ...{ store: new LaneStore(redis), grants: new Grants(redis, keys), timings, listTimeoutMs: 3000 },
      monotonicMs: () => performance.now(),
      wallMs: Date.now,
      useCases: {
        pauseByAnswer: async () => {},
        all: async () => [...this.useCases.values()],
        resumeExpired: async () => {},
        finishDelete: async (uid) => {
          this.useCases.delete(uid)
          this.finished.push(uid)
        },
      },
    })
    fleet.start()
    const replica = { fleet, kill: () => redis.disconnect() }
    this.replicas.push(replica)
    return replica
  }

  /** A worker that beats at whichever replica answers. */
  worker(): TestWorker {
    const worker = new TestWorker(this.connectRedis(), this)
    this.workers.push(worker)
    worker.start()
    return worker
  }

  leader(): Replica | undefined {
    return this.replicas.find(({ fleet }) => fleet.lead() !== undefined)
  }

  /** Waits until these lanes all run, each on one worker; answers their workers in order. */
  async running(lanes: readonly LaneId[]): Promise<TestWorker[]> {
    return vi.waitFor(
      () =>
        lanes.map((lane) => {
          const holders = this.workers.filter((worker) => worker.runs(laneKey(lane)))
          if (holders.length !== 1) throw new Error(`${laneKey(lane)} runs on ${holders.length} workers`)
          return holders[0]!
        }),
      { timeout: 15_000, interval: 20 },
    )
  }

  /** Waits until nobody has these lanes and they can be given away. */
  async free(lanes: readonly LaneId[]): Promise<void> {
    await vi.waitFor(
      () => {
        for (const lane of lanes) {
          if (this.workers.some((worker) => worker.runs(laneKey(lane)))) throw new Error(`${laneKey(lane)} is still held`)
        }
      },
      { timeout: 15_000, interval: 20 },
    )
  }

  /** Everything that Redis knows of the fleet and of these lanes is gone, leases included. */
  async loseRedis(lanes: readonly LaneId[]): Promise<void> {
    const leases = this.workers.map((worker) => leaseKey(worker.instance))
    const keys = lanes.flatMap((lane) => Object.values(laneKeys(lane)))
    await this.redis.del(...keys, ...leases, ...Object.values(fleetKeys(this.#tag)))
  }

  async select<Row>(query: string): Promise<Row[]> {
    const result = await this.clickhouse.query({
      query,
      format: 'JSONEachRow',
      clickhouse_settings: { output_format_json_quote_64bit_integers: 0 },
    })
    return result.json<Row>()
  }

  /** Ends everybody, and forgets what they were there for. */
  async clear(): Promise<void> {
    await Promise.all(this.workers.splice(0).map((worker) => worker.kill()))
    await Promise.all(this.replicas.splice(0).map(({ fleet }) => fleet.stop()))
    for (const useCase of this.useCases.values()) {
      for (const lane of this.lanesOf(useCase, 16)) await this.redis.del(...Object.values(laneKeys(lane)))
    }
    this.useCases.clear()
  }

  async close(): Promise<void> {
    await this.clear()
    await this.redis.del(...Object.values(fleetKeys(this.#tag)))
    for (const redis of this.#connections) redis.disconnect()
    await Promise.all([this.admin.disconnect(), this.producer.disconnect(), this.source.close()])
    await this.clickhouse.command({ query: `DROP DATABASE IF EXISTS ${this.database}` })
    await this.clickhouse.close()
  }
}

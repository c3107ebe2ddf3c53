import { setTimeout as sleep } from 'node:timers/promises'
import type { ClickHouseClient } from '../../runtime/clickhouse.ts'
import { commitGroupOffsets } from '../../runtime/group-offsets.ts'
import type { Broker, Cluster } from '../../runtime/kafka.ts'
import { findTopic } from '../../runtime/kafka-metadata.ts'
import type { Logger } from '../../runtime/log.ts'
import type { Redis } from '../../runtime/redis.ts'
import { countWaiting, type SpoolPartition } from '../../runtime/spool-position.ts'
import { type InsertEvents, insertBatch } from '../record/insert-batch.ts'
import { type Insert, RefusedRowsError } from '../record/log-insert.ts'
import { fetchRecords } from '../source/fetch-records.ts'
import type { KafkaRecord } from '../source/kafka-record.ts'
import { askSpool } from './ask-spool.ts'
import { DrainLock } from './drain-lock.ts'
import { fromMessage } from './spooled-insert.ts'

// Every worker looks from time to time whether something waits in the spool, whoever has written it. Then
//
//   ClickHouse does not answer        | nothing; the next look is later
//   another worker drains a partition | the next partition
//   nobody does                       | its messages, a few at once: insert, commit the offset after them, delete what is below
//   an insert is not taken            | commits those before it, goes on with one at a time, and lets go of the partition, so that a
//                                     | worker that reaches ClickHouse may try: one that is slow is not kept from ever being done
//
// A message is committed only when its insert is durable. One that is inserted again, because its drainer died in between or because
// the worker that spooled it got through after all, has the same token, and ClickHouse keeps one: the tables remember the last
// 10,000 inserts, and between the two lie only those of the moments in which both tried.

export interface SpoolDrainParts {
  readonly cluster: Cluster
  readonly redis: Redis
  readonly clickhouse: Pick<ClickHouseClient, 'ping'>
  readonly insert: Insert
  readonly log: Logger
}

export interface SpoolDrainOptions {
  readonly topic: string
  readonly instance: string
  readonly lookMs: number
  readonly insertTimeoutMs: number
}

/** Messages of a partition that are in memory, and on their way to ClickHouse, at once. */
const MESSAGES_MAX = 4
const DELETE_TIMEOUT_MS = 5000
/** More than halving the largest batch takes to find a row. */
const REFUSALS_MAX = 40

/** What kafkajs' Broker has and its types leave out. */
interface DeletingBroker {
  deleteRecords(request: {
    topics: { topic: string; partitions: { partition: number; offset: string }[] }[]
    timeout: number
  }): Promise<unknown>
}

/** Brings what waits in the spool into ClickHouse. */
export class SpoolDrain {
  readonly #parts: SpoolDrainParts
  readonly #options: SpoolDrainOptions
  readonly #stopping = new AbortController()
  #running: Promise<void> = Promise.resolve()
  #failures = 0
  #cannotDelete = false
  /** One after a failure, doubled with each that goes well. */
  #atOnce = MESSAGES_MAX
  /** Inserts in the spool that the log did not have at the last look; of all workers. */
  waitingInserts = 0
  /** Inserts that this worker has brought into ClickHouse. */
  drainedInserts = 0

  constructor(parts: SpoolDrainParts, options: SpoolDrainOptions) {
    this.#parts = parts
    this.#options = options
  }

  start(): void {
    this.#running = this.#run()
  }

  /** Resolves when the insert that is on its way has ended. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping
    const { lookMs } = this.#options
    while (!signal.aborted) {
      // Not all workers at once.
      await sleep(lookMs * (0.5 + Math.random()), undefined, { signal }).catch(() => {})
      if (signal.aborted) return
      try {
        await this.#look()
        this.#failures = 0
      } catch (error) {
        if (this.#failures++ === 0)
          this.#parts.log.warn({ error: String(error).slice(0, 500) }, 'spool: cannot drain it now, trying again')
      }
    }
  }

  async #look(): Promise<void> {
    const { cluster, clickhouse } = this.#parts
    const behind = await this.#ask(cluster)
    if (behind.length === 0) return
    const answer = await clickhouse.ping()
    if (!answer.success) return
    const first = Math.floor(Math.random() * behind.length)
    for (const { partition } of [...behind.slice(first), ...behind.slice(0, first)]) await this.#drain(partition)
  }

  async #ask(cluster: Cluster): Promise<SpoolPartition[]> {
    const positions = await askSpool(cluster, this.#options.topic)
    this.waitingInserts = countWaiting(positions)
    return positions.filter(({ from, end }) => from < end)
  }

  async #drain(partition: number): Promise<void> {
    const { cluster, redis, log } = this.#parts
    const { topic, instance, insertTimeoutMs } = this.#options
    const lock = new DrainLock(redis, topic, partition, instance, insertTimeoutMs * 2 + 5000)
    if (!(await lock.hold())) return
    try {
      // Whoever had it before may have gone on meanwhile.
      const position = (await this.#ask(cluster)).find((each) => each.partition === partition)
      if (position === undefined) return
      const { from, end } = position
      log.info({ partition, from, end }, 'spool: draining')
      for (let at = from; at < end; ) {
        const next = Math.min(end, at + this.#atOnce)
        const records = await this.#read(partition, at, next)
        if (this.#stopping.signal.aborted || !(await lock.hold())) return
        await this.#insertAll(partition, at, records)
        at = next
      }
      log.info({ partition, from, end }, 'spool: drained')
    } finally {
      await lock.letGo().catch(() => {})
    }
  }

  /** All that is there was written by workers and is in no transaction, so every offset is a message. */
  async #read(partition: number, from: number, end: number): Promise<KafkaRecord[]> {
    const { topic } = this.#options
    const records: KafkaRecord[] = []
    const offsets = Array.from({ length: end - from }, (_, at) => from + at)
    await fetchRecords(this.#parts.cluster, { topic, topicId: '', partition }, offsets, (record) => records.push(record))
    if (records.length < offsets.length)
      throw new Error(
        `Kafka gives ${records.length} of the ${offsets.length} messages from offset ${from} of ${topic}/${partition}`,
      )
    return records
  }

  /** At once; commits those that are durable, up to the first that is not. */
  async #insertAll(partition: number, from: number, records: readonly KafkaRecord[]): Promise<void> {
    const ended = await Promise.allSettled(records.map((record) => this.#insert(record)))
    const failed = ended.findIndex(({ status }) => status === 'rejected')
    if (failed !== 0) await this.#settle(partition, from + (failed < 0 ? ended.length : failed))
    this.#atOnce = failed < 0 ? Math.min(MESSAGES_MAX, this.#atOnce * 2) : 1
    if (failed >= 0) throw (ended[failed] as PromiseRejectedResult).reason
  }

  async #insert(record: KafkaRecord): Promise<void> {
    const { insert, log } = this.#parts
    let refusals = 0
    const events: InsertEvents = {
      // Rows that are refused are looked for; anything else is for a later look, or for another worker.
      failed: (error) => {
        if (!(error instanceof RefusedRowsError) || refusals++ === REFUSALS_MAX || this.#stopping.signal.aborted) throw error
      },
      taken: () => {
        refusals = 0
      },
      stripped: ({ code, message }) =>
        log.error(
          { code, error: message.slice(0, 500) },
          'spool: a row is refused; it is in the log without its headers and bodies',
        ),
    }
    // Whoever spooled it may have tried ClickHouse before.
    await insertBatch(insert, fromMessage(record), events, true)
    this.drainedInserts++
  }

  async #settle(partition: number, offset: number): Promise<void> {
    const { cluster, log } = this.#parts
    const { topic } = this.#options
    await commitGroupOffsets(cluster, topic, topic, [{ partition, offset, metadata: '' }])
    try {
      const leader = findTopic(cluster, topic)?.partitionMetadata.find((each) => each.partitionId === partition)?.leader
      const broker: Broker = await cluster.findBroker({ nodeId: String(leader) })
      await (broker as unknown as DeletingBroker).deleteRecords({
        ...{ topics: [{ topic, partitions: [{ partition, offset: String(offset) }] }], timeout: DELETE_TIMEOUT_MS },
      })
    } catch (error) {
      if (!this.#cannotDelete)
        log.warn({ partition, error: String(error) }, 'spool: Kafka does not delete what is drained; it stays until it does')
      this.#cannotDelete = true
    }
  }
}

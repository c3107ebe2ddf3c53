import type { Cluster, OpenCluster } from '../../runtime/kafka.ts'
import { kafkaErrorName, kafkaErrors } from '../../runtime/kafka-error-codes.ts'
import { findTopic, isAbsent } from '../../runtime/kafka-metadata.ts'
import type { Logger } from '../../runtime/log.ts'
import { describeBadBatch, describeLeaderless } from './describe-trouble.ts'
import { type FetchedPartition, fetchPartitions } from './fetch.ts'
import type { FetchCounts } from './fetch-counts.ts'
import { offsetRange } from './offset-range.ts'
import type { Partition } from './partition.ts'
import { readBatches } from './record-batch.ts'
import { Sleepers } from './sleepers.ts'
import { takeResponse } from './take-response.ts'

// Why a partition is not asked for:
//
//   paused       its lane has enough for now
//   leader < 0   nobody leads it, or it is not known yet which topic it is of: metadata is asked for until it is
//   isBusy       it is being asked what Kafka has of it, or Redis which topic it is of
//   notBefore    it failed a moment ago
//
// An answer speaks of each partition alone: what is wrong with one is no matter of the others. Only a broker that does not answer
// at all stops everything that it leads.

export interface ReaderOptions {
  /** Longest wait of the broker for new records: bounds the latency of adding, resuming and closing a partition. */
  readonly fetchWaitMs: number
  readonly fetchBytesMax: number
}

const RETRY_MS_MAX = 500
const IDLE_MS = 1000
/** A partition that was out of range is asked for again so much later. */
const AGAIN_MS = 300
/** So many fetches of a broker fail before a sink hears of it. */
const FAILURES_TOLD = 3
/** A topic may be away for days. */
const LEADERLESS_MS_MAX = 2000

/** Errors of one partition that only fresh metadata can heal. */
const moved = new Set<number>([
  ...[kafkaErrors.UNKNOWN_TOPIC_OR_PARTITION, kafkaErrors.LEADER_NOT_AVAILABLE, kafkaErrors.NOT_LEADER_OR_FOLLOWER],
  ...[kafkaErrors.REPLICA_NOT_AVAILABLE, kafkaErrors.KAFKA_STORAGE_ERROR, kafkaErrors.FENCED_LEADER_EPOCH],
  ...[kafkaErrors.UNKNOWN_LEADER_EPOCH, kafkaErrors.UNKNOWN_TOPIC_ID, kafkaErrors.INCONSISTENT_TOPIC_ID],
])

const backOffMs = (failures: number, max: number): number => Math.min(50 * 2 ** Math.min(failures, 10), max)

/** One fetch loop per broker over a changing set of partitions, each topic and partition at most once. No consumer group. */
export class Reader {
  readonly #cluster: Cluster
  readonly #describe: (error: unknown) => string
  readonly #readCommitted: boolean
  readonly #options: ReaderOptions
  readonly #log: Logger
  readonly #counts: FetchCounts
  readonly #partitions = new Map<string, Partition>()
  readonly #loops = new Map<number, Promise<void>>()
  readonly #idlers = new Sleepers()
  readonly #sleepers = new Sleepers()
  readonly #refreshers = new Sleepers()
  #refreshing = false
  #stopped = false

  constructor(
    { cluster, describe }: Pick<OpenCluster, 'cluster' | 'describe'>,
    readCommitted: boolean,
    options: ReaderOptions,
    log: Logger,
    counts: FetchCounts,
  ) {
    this.#cluster = cluster
    this.#describe = describe
    this.#readCommitted = readCommitted
    this.#options = options
    this.#log = log
    this.#counts = counts
  }

  reads(key: string): boolean {
    return this.#partitions.has(key)
  }

  /** From now on nobody else may read this topic and partition here; add() starts it. */
  hold(partition: Partition): void {
    this.#partitions.set(partition.key, partition)
  }

  async add(partition: Partition): Promise<void> {
    try {
      await this.#cluster.addTargetTopic(partition.topic)
    } catch (error) {
      this.#log.warn({ topic: partition.topic, error: String(error) }, 'source: no metadata of the topic yet')
    }
    this.#route()
  }

  remove(partition: Partition): void {
    partition.closed = true
    if (this.#partitions.get(partition.key) === partition) this.#partitions.delete(partition.key)
  }

  /** Something may be read again. */
  wake(): void {
    this.#idlers.wake()
  }

  /** Nothing can be read. */
  trouble(message: string): void {
    for (const each of this.#partitions.values()) each.trouble(message)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    for (const each of [this.#idlers, this.#sleepers, this.#refreshers]) each.close()
    await Promise.all(this.#loops.values())
  }

  /** Gives every partition to the loop of its leader, as metadata has it. */
  #route(): void {
    for (const each of [...this.#partitions.values()]) {
      each.leader = this.#leaderOf(each)
      const id = each.leader
      if (id < 0 || this.#loops.has(id) || this.#stopped) continue
      this.#loops.set(
        id,
        this.#loop(id).finally(() => this.#loops.delete(id)),
      )
    }
    if (!this.#refreshing && this.#leaderless().length > 0) void this.#refresh()
    this.wake()
  }

  /** -1: nobody, or it may not be read yet. */
  #leaderOf(partition: Partition): number {
    const found = findTopic(this.#cluster, partition.topic)
    if (found === undefined || isAbsent(found)) return -1
    if (partition.topicId === undefined) {
      void this.#bind(partition, found.topicId)
      return -1
    }
    switch (partition.identify(found)) {
      case 'SAME':
        return found.partitionMetadata.find((each) => each.partitionId === partition.partition)?.leader ?? -1
      case 'STRANGE':
        return -1
      case 'RECREATED':
        partition.sink.recreated(found.topicId)
        this.remove(partition)
        return -1
    }
  }

  async #bind(partition: Partition, topicId: string): Promise<void> {
    if (partition.isBusy) return
    partition.isBusy = true
    try {
      partition.topicId = await partition.sink.bind(topicId)
    } catch (error) {
      // Asked again with the next metadata.
      this.#log.debug({ partition: partition.key, error: String(error) }, 'source: the topic cannot be bound now')
    }
    partition.isBusy = false
    if (partition.topicId !== undefined) this.#route()
  }

  /** Asks for metadata until every partition has a leader: soon for one that has lost it just now, seldom for what is away. */
  async #refresh(): Promise<void> {
    if (this.#refreshing) {
      this.#refreshers.wake()
      return
    }
    this.#refreshing = true
    for (;;) {
      await this.#sleepers.sleep(backOffMs(0, RETRY_MS_MAX))
      const soonest = Math.min(...this.#leaderless().map((each) => each.missed))
      if (soonest > 0) await this.#refreshers.sleep(backOffMs(soonest, LEADERLESS_MS_MAX))
      if (this.#stopped || this.#leaderless().length === 0) break
      let problem: string | undefined
      try {
        await this.#cluster.refreshMetadata()
        this.#route()
      } catch (error) {
        problem = `no metadata: ${this.#describe(error)}`
      }
      for (const each of this.#leaderless())
        each.misses(`Kafka: ${problem ?? describeLeaderless(each, findTopic(this.#cluster, each.topic))}`)
    }
    this.#refreshing = false
  }

  #leaderless(): Partition[] {
    return [...this.#partitions.values()].filter((each) => each.leader < 0)
  }

  async #loop(id: number): Promise<void> {
    let failures = 0
    let stalled = 0
    for (let turn = 0; !this.#stopped; turn++) {
      const now = performance.now()
      const mine = [...this.#partitions.values()].filter((each) => each.leader === id && !each.paused && !each.isBusy)
      const due = mine.filter((each) => each.notBefore <= now)
      if (due.length === 0) {
        const next = mine.reduce((soonest, each) => Math.min(soonest, each.notBefore), now + IDLE_MS)
        await this.#idlers.sleep(next - now)
        continue
      }
      due.push(...due.splice(0, turn % due.length)) // the broker fills the response in the order of the request
      try {
        const hasMoved = await this.#fetch(id, due)
        failures = 0
        // Something at the log's end may answer at once for ever: do not spin.
        stalled = hasMoved || performance.now() - now > 50 ? 0 : stalled + 1
        if (stalled > 2) await this.#sleepers.sleep(Math.min(20 * stalled, 250))
      } catch (error) {
        await this.#failed(id, due, ++failures, error)
      }
    }
  }

  /** The broker has not answered. */
  async #failed(id: number, partitions: readonly Partition[], failures: number, error: unknown): Promise<void> {
    if (this.#stopped) return
    this.#log.debug({ broker: id, error: String(error) }, 'source: fetch failed')
    if (failures % FAILURES_TOLD === 0) for (const each of partitions) each.trouble(`Kafka: ${this.#describe(error)}`)
    await this.#sleepers.sleep(backOffMs(failures, RETRY_MS_MAX))
    try {
      await this.#cluster.refreshMetadata()
      this.#route()
    } catch {
      // The next fetch says it again.
    }
  }

  async #fetch(id: number, partitions: readonly Partition[]): Promise<boolean> {
    const targets = partitions.map((each) => {
      const { topic, topicId, partition, position, epoch } = each
      return { of: each, topic, topicId: topicId ?? '', partition, offset: position, epoch, bytesMax: each.bytesWanted }
    })
    const broker = await this.#cluster.findBroker({ nodeId: String(id) })
    const limits = {
      waitMs: this.#options.fetchWaitMs,
      bytesMax: Math.max(this.#options.fetchBytesMax, ...partitions.map((each) => each.bytesWanted)),
      readCommitted: this.#readCommitted,
    }
    const answers = await this.#counts.calls.time(() => fetchPartitions(broker, targets, limits))
    let hasMoved = false
    for (const { target, fetched } of answers) hasMoved = (await this.#take(target.of, target.offset, fetched)) || hasMoved
    return hasMoved
  }

  /** Answers whether the partition has moved. */
  async #take(partition: Partition, position: number, fetched: FetchedPartition): Promise<boolean> {
    const isStale = (): boolean => partition.closed || partition.position !== position
    const { errorCode, divergesAt } = fetched
    if (isStale()) return false
    if (errorCode !== 0 || divergesAt !== undefined) {
      if (divergesAt === undefined) this.#refused(partition, errorCode)
      else this.#diverged(partition, divergesAt)
      return false
    }
    const read = await readBatches(fetched.bytes)
    this.#counts.bytes += fetched.bytes.length
    for (const { records } of read.batches) this.#counts.records += records.length
    if (read.bad !== undefined) this.#counts.refuse('BAD_BATCH')
    if (isStale()) return false
    const hasMoved = takeResponse(partition, fetched, read)
    if (read.bad === undefined) partition.succeeded()
    else partition.isBad(`Kafka: ${describeBadBatch(partition, read.bad)}`, performance.now())
    return hasMoved
  }

  #refused(partition: Partition, errorCode: number): void {
    this.#counts.refuse(kafkaErrorName(errorCode))
    if (errorCode === kafkaErrors.OFFSET_OUT_OF_RANGE) {
      void this.#outOfRange(partition)
      return
    }
    partition.failed(`Kafka: ${partition.key}: ${kafkaErrorName(errorCode)}`, performance.now())
    if (!moved.has(errorCode)) return
    partition.leader = -1
    void this.#refresh()
  }

  /** The log was cut, and goes on with other records. */
  #diverged(partition: Partition, offset: number): void {
    partition.epoch = -1
    if (offset >= partition.position) return
    if (partition.sink.outOfRange(partition.position, 0, offset) === undefined) this.remove(partition)
  }

  async #outOfRange(partition: Partition): Promise<void> {
    const { position, topic } = partition
    partition.isBusy = true
    partition.epoch = -1
    try {
      const { earliest, latest } = await offsetRange(this.#cluster, topic, partition.partition)
      if (partition.closed || partition.position !== position) return
      // Where the range has moved over the position between the two questions, asking again will do.
      const isInRange = position >= earliest && position <= latest
      if (isInRange || (position > latest && !partition.isCutAt(latest))) {
        partition.notBefore = performance.now() + AGAIN_MS
        return
      }
      const next = partition.sink.outOfRange(position, earliest, latest)
      if (next === undefined) this.remove(partition)
      else partition.position = next
    } catch (error) {
      const problem = `Kafka: offset ${position} of ${partition.key} is out of range, and the range is not known: ${String(error)}`
      partition.failed(problem, performance.now())
    } finally {
      partition.isBusy = false
      this.wake()
    }
  }
}

import type { Broker, Cluster } from '../../runtime/kafka.ts'
import type { Logger } from '../../runtime/log.ts'
import type { Partition } from './partition.ts'
import { type FetchedPartition, takeResponse } from './take-response.ts'

// Why a partition is not asked for:
//
//   paused       its lane has enough for now
//   leader < 0   nobody leads it: metadata is asked for until somebody does
//   quarantined  suspect, and asked for a moment ago
//
// One unreadable partition fails the whole fetch of its broker, and most errors do not name it. After three failed fetches each
// partition is asked for alone; what fails alone is suspect: from then on it is asked for alone, from time to time.

export interface ReaderOptions {
  /** Longest wait of the broker for new records: bounds the latency of adding, resuming and closing a partition. */
  readonly fetchWaitMs: number
  readonly fetchBytesMax: number
}

interface FetchError extends Error {
  readonly type?: string
  readonly topic?: string
  readonly partition?: number
}

interface FetchResponse {
  readonly responses: readonly { readonly topicName: string; readonly partitions: readonly FetchedPartition[] }[]
}

const STUCK_BYTES_MAX = 64 << 20
const QUARANTINE_MS = 5000
const RETRY_MS_MAX = 500
/** So many fetches fail before a sink hears of it. */
const FAILURES_TOLD = 3

/** Errors that speak of the broker or the way to it, not of a partition. */
const connectionErrors = new Set([
  ...['KafkaJSConnectionError', 'KafkaJSConnectionClosedError', 'KafkaJSRequestTimeoutError', 'KafkaJSBrokerNotFound'],
  ...['KafkaJSNumberOfRetriesExceeded', 'KafkaJSTimeout', 'KafkaJSSASLAuthenticationError', 'KafkaJSLockTimeout'],
])

const backOffMs = (failures: number): number => Math.min(50 * 2 ** Math.min(failures, 10), RETRY_MS_MAX)

/** One fetch loop per broker over a changing set of partitions, each topic and partition at most once. No consumer group. */
export class Reader {
  readonly #cluster: Cluster
  readonly #readCommitted: boolean
  readonly #options: ReaderOptions
  readonly #log: Logger
  readonly #partitions = new Map<string, Partition>()
  readonly #loops = new Map<number, Promise<void>>()
  readonly #idlers = new Set<() => void>()
  readonly #sleepers = new Set<() => void>()
  #refreshing = false
  #stopped = false

  constructor(cluster: Cluster, readCommitted: boolean, options: ReaderOptions, log: Logger) {
    this.#cluster = cluster
    this.#readCommitted = readCommitted
    this.#options = options
    this.#log = log
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
    if (partition.leader < 0) void this.#refresh()
  }

  remove(partition: Partition): void {
    partition.closed = true
    if (this.#partitions.get(partition.key) === partition) this.#partitions.delete(partition.key)
  }

  /** Something may be read again. */
  wake(): void {
    for (const wake of this.#idlers) wake()
  }

  /** Nothing can be read. */
  trouble(message: string): void {
    for (const each of this.#partitions.values()) each.trouble(message)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    for (const wake of [...this.#idlers, ...this.#sleepers]) wake()
    await Promise.all(this.#loops.values())
  }

  /** Gives every partition to the loop of its leader. */
  #route(): void {
    for (const each of this.#partitions.values()) {
      const metadata = this.#cluster.findTopicPartitionMetadata(each.topic) as
        | { partitionId: number; leader: number }[]
        | undefined
      each.leader = metadata?.find((known) => known.partitionId === each.partition)?.leader ?? -1
      if (each.leader < 0 || this.#loops.has(each.leader) || this.#stopped) continue
      const id = each.leader
      this.#loops.set(
        id,
        this.#loop(id).finally(() => this.#loops.delete(id)),
      )
    }
    this.wake()
  }

  /** Asks for metadata until every partition has a leader. */
  async #refresh(): Promise<void> {
    if (this.#refreshing) return
    this.#refreshing = true
    for (let failures = 0; !this.#stopped && this.#leaderless().length > 0; failures++) {
      await this.#sleep(backOffMs(failures), this.#sleepers)
      let message = 'no broker leads the partition, or the topic is not there'
      try {
        // A topic that was unknown when it was added is not in the cluster's list.
        for (const topic of new Set(this.#leaderless().map((each) => each.topic))) await this.#cluster.addTargetTopic(topic)
        await this.#cluster.refreshMetadata()
        this.#route()
      } catch (error) {
        message = `no metadata: ${String(error)}`
      }
      if (failures >= FAILURES_TOLD) for (const each of this.#leaderless()) each.trouble(`Kafka: ${message}`)
    }
    this.#refreshing = false
  }

  #leaderless(): Partition[] {
    return [...this.#partitions.values()].filter((each) => each.leader < 0)
  }

  #sleep(ms: number, among: Set<() => void>): Promise<void> {
    if (this.#stopped) return Promise.resolve()
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer)
        among.delete(wake)
        resolve()
      }
      const timer = setTimeout(wake, ms)
      among.add(wake)
    })
  }

  async #loop(id: number): Promise<void> {
    let failures = 0
    let stalled = 0
    for (let turn = 0; !this.#stopped; turn++) {
      const now = performance.now()
      const mine = [...this.#partitions.values()].filter(
        (each) => each.leader === id && !each.paused && each.quarantinedUntil < now,
      )
      for (const each of mine) if (each.suspect && !each.closed) await this.#fetchAlone(id, each)
      const together = mine.filter((each) => !each.suspect && !each.closed)
      if (together.length === 0) {
        await this.#sleep(1000, this.#idlers)
        continue
      }
      together.push(...together.splice(0, turn % together.length)) // the broker fills the response in the order of the request
      try {
        const moved = await this.#fetch(id, together)
        failures = 0
        // An empty batch at the log's end answers at once for ever: do not spin.
        stalled = moved || performance.now() - now > 50 ? 0 : stalled + 1
        if (stalled > 2) await this.#sleep(Math.min(20 * stalled, 250), this.#sleepers)
      } catch (error) {
        failures++
        await this.#failed(id, together, failures, error as FetchError)
      }
    }
  }

  async #failed(id: number, partitions: readonly Partition[], failures: number, error: FetchError): Promise<void> {
    if (this.#stopped || (await this.#tookOutOfRange(error))) return
    this.#log.debug({ broker: id, error: String(error) }, 'source: fetch failed')
    if (failures % FAILURES_TOLD === 0) {
      if (connectionErrors.has(error.name)) for (const each of partitions) each.trouble(`Kafka: ${error.message}`)
      else for (const each of partitions) if (!each.closed) await this.#fetchAlone(id, each)
    }
    await this.#sleep(backOffMs(failures), this.#sleepers)
    try {
      await this.#cluster.refreshMetadata()
      this.#route()
    } catch {
      // The next fetch says it again.
    }
    if (this.#leaderless().length > 0) void this.#refresh()
  }

  /** Asks for one partition, so that what fails is its own fault, or the broker's. */
  async #fetchAlone(id: number, partition: Partition): Promise<void> {
    try {
      await this.#fetch(id, [partition])
      partition.suspect = false
    } catch (error) {
      if (await this.#tookOutOfRange(error as FetchError)) return
      partition.suspect = !connectionErrors.has((error as FetchError).name)
      if (partition.suspect) partition.quarantinedUntil = performance.now() + QUARANTINE_MS
      partition.trouble(`Kafka: ${error instanceof Error ? error.message : String(error)}`)
    }
  }

  async #fetch(id: number, partitions: readonly Partition[]): Promise<boolean> {
    const asked = new Map<string, { partition: Partition; position: number }>()
    const topics = new Map<string, { partition: number; fetchOffset: string; maxBytes: number }[]>()
    for (const each of partitions) {
      asked.set(each.key, { partition: each, position: each.position })
      const list = topics.get(each.topic) ?? []
      if (list.length === 0) topics.set(each.topic, list)
      list.push({ partition: each.partition, fetchOffset: String(each.position), maxBytes: bytesOf(each) })
    }
    const broker: Broker = await this.#cluster.findBroker({ nodeId: String(id) })
    const response = (await broker.fetch({
      maxWaitTime: this.#options.fetchWaitMs,
      minBytes: 1,
      maxBytes: Math.max(this.#options.fetchBytesMax, ...partitions.map(bytesOf)),
      isolationLevel: this.#readCommitted ? 1 : 0,
      topics: [...topics].map(([topic, list]) => ({ topic, partitions: list })),
    })) as FetchResponse
    let moved = false
    for (const topic of response.responses) {
      for (const fetched of topic.partitions) {
        const found = asked.get(`${topic.topicName}/${fetched.partition}`)
        if (!found || found.partition.closed || found.partition.position !== found.position) continue
        moved = takeResponse(found.partition, fetched) || moved
        found.partition.trouble(undefined)
      }
    }
    return moved
  }

  async #tookOutOfRange(error: FetchError): Promise<boolean> {
    if (error.type !== 'OFFSET_OUT_OF_RANGE' || error.topic === undefined) return false
    const partition = this.#partitions.get(`${error.topic}/${error.partition}`)
    if (partition === undefined) return true
    const { position } = partition
    try {
      const [earliest, latest] = await Promise.all([this.#offset(partition, -2), this.#offset(partition, -1)])
      if (partition.closed || partition.position !== position) return true
      // Between the two questions the range has moved over the position: asking again will do.
      const next = position >= earliest && position <= latest ? position : partition.sink.outOfRange(position, earliest, latest)
      if (next === undefined) this.remove(partition)
      else partition.position = next
    } catch (failure) {
      this.#log.warn(
        { topic: error.topic, partition: error.partition, error: String(failure) },
        'source: offset out of range, and the range is not known',
      )
    }
    await this.#sleep(50, this.#sleepers)
    return true
  }

  async #offset(partition: Partition, timestamp: -1 | -2): Promise<number> {
    const answer = (await this.#cluster.fetchTopicsOffset([
      { topic: partition.topic, partitions: [{ partition: partition.partition }], fromTimestamp: timestamp } as never,
    ])) as unknown as { partitions: { partition: number; offset: string }[] }[]
    const offset = Number(answer[0]?.partitions.find((each) => each.partition === partition.partition)?.offset ?? Number.NaN)
    if (!(offset >= 0)) throw new Error(`Kafka does not say where ${partition.key} begins and ends`)
    return offset
  }
}

const bytesOf = ({ bytesMax, stuck }: Partition): number =>
  Math.min(bytesMax * 2 ** Math.min(Math.max(0, stuck - 2), 30), Math.max(bytesMax, STUCK_BYTES_MAX))

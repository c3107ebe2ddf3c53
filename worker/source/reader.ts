import type { Broker, Cluster } from '../../runtime/kafka.ts'
import type { Logger } from '../../runtime/log.ts'
import type { Partition } from './partition.ts'
import { type FetchedPartition, takeResponse } from './take-response.ts'

export interface ReaderOptions {
  /** Longest wait of the broker for new records: bounds the latency of adding, resuming and closing a partition. */
  readonly fetchWaitMs: number
  readonly fetchBytesMax: number
  readonly partitionBytesMax: number
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

/** One fetch loop per broker over a changing set of partitions, each topic and partition at most once. No consumer group. */
export class Reader {
  readonly #cluster: Cluster
  readonly #readCommitted: boolean
  readonly #options: ReaderOptions
  readonly #log: Logger
  readonly #partitions = new Map<string, Partition>()
  readonly #loops = new Map<number, Promise<void>>()
  readonly #sleepers = new Set<() => void>()
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

  wake(): void {
    for (const wake of this.#sleepers) wake()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.wake()
    await Promise.all(this.#loops.values())
  }

  /** Gives every partition to the loop of its leader. */
  #route(): void {
    for (const each of this.#partitions.values()) {
      const metadata = this.#cluster.findTopicPartitionMetadata(each.topic) as
        | { partitionId: number; leader: number }[]
        | undefined
      each.leader = metadata?.find((known) => known.partitionId === each.partition)?.leader ?? -1
      if (each.leader >= 0 && !this.#loops.has(each.leader) && !this.#stopped) {
        const id = each.leader
        this.#loops.set(
          id,
          this.#loop(id).finally(() => this.#loops.delete(id)),
        )
      }
    }
    this.wake()
  }

  /** Asks for metadata until every partition has a leader. */
  async #refresh(): Promise<void> {
    for (let failures = 0; !this.#stopped; failures++) {
      await this.#sleep(Math.min(50 * 2 ** failures, RETRY_MS_MAX))
      try {
        await this.#cluster.refreshMetadata()
      } catch (error) {
        this.#log.debug({ error: String(error) }, 'source: no metadata')
        continue
      }
      this.#route()
      if ([...this.#partitions.values()].every((each) => each.leader >= 0)) return
    }
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const wake = (): void => {
        clearTimeout(timer)
        this.#sleepers.delete(wake)
        resolve()
      }
      const timer = setTimeout(wake, ms)
      this.#sleepers.add(wake)
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
      if (mine.length === 0) {
        await this.#sleep(1000)
        continue
      }
      mine.push(...mine.splice(0, turn % mine.length)) // the broker fills the response in the order of the request
      try {
        const moved = await this.#fetch(id, mine)
        failures = 0
        // An empty batch at the log's end answers at once for ever: do not spin.
        stalled = moved || performance.now() - now > 50 ? 0 : stalled + 1
        if (stalled > 2) await this.#sleep(Math.min(20 * stalled, 250))
      } catch (error) {
        if (await this.#tookOutOfRange(error as FetchError)) continue
        this.#log.debug({ broker: id, error: String(error) }, 'source: fetch failed')
        // One unreadable partition fails the whole fetch and is not named: find it by asking for each alone.
        if (++failures === 3 && mine.length > 0) await this.#quarantine(id, mine)
        await this.#sleep(Math.min(50 * 2 ** failures, RETRY_MS_MAX))
        await this.#cluster.refreshMetadata().then(
          () => this.#route(),
          () => {},
        )
      }
    }
  }

  async #fetch(id: number, partitions: readonly Partition[]): Promise<boolean> {
    const asked = new Map<string, { partition: Partition; position: number }>()
    const topics = new Map<string, { partition: number; fetchOffset: string; maxBytes: number }[]>()
    for (const each of partitions) {
      asked.set(each.key, { partition: each, position: each.position })
      const list = topics.get(each.topic) ?? []
      if (list.length === 0) topics.set(each.topic, list)
      list.push({ partition: each.partition, fetchOffset: String(each.position), maxBytes: this.#bytes(each) })
    }
    const broker: Broker = await this.#cluster.findBroker({ nodeId: String(id) })
    const response = (await broker.fetch({
      maxWaitTime: this.#options.fetchWaitMs,
      minBytes: 1,
      maxBytes: Math.max(this.#options.fetchBytesMax, ...partitions.map((each) => this.#bytes(each))),
      isolationLevel: this.#readCommitted ? 1 : 0,
      topics: [...topics].map(([topic, list]) => ({ topic, partitions: list })),
    })) as FetchResponse
    let moved = false
    for (const topic of response.responses) {
      for (const fetched of topic.partitions) {
        const found = asked.get(`${topic.topicName}/${fetched.partition}`)
        if (!found || found.partition.closed || found.partition.position !== found.position) continue
        moved = takeResponse(found.partition, fetched) || moved
        this.#recovered(found.partition)
      }
    }
    return moved
  }

  #bytes(partition: Partition): number {
    return Math.min(this.#options.partitionBytesMax * 2 ** Math.max(0, partition.stuck - 2), STUCK_BYTES_MAX)
  }

  #recovered(partition: Partition): void {
    if (!partition.troubled) return
    partition.troubled = false
    partition.sink.trouble(undefined)
  }

  async #tookOutOfRange(error: FetchError): Promise<boolean> {
    if (error.type !== 'OFFSET_OUT_OF_RANGE' || error.topic === undefined) return false
    const partition = this.#partitions.get(`${error.topic}/${error.partition}`)
    if (partition === undefined) return true
    try {
      const [earliest, latest] = await Promise.all([this.#offset(partition, -2), this.#offset(partition, -1)])
      const next = partition.sink.outOfRange(partition.position, earliest, latest)
      if (next === undefined) this.remove(partition)
      else partition.position = next
    } catch (failure) {
      this.#log.warn(
        { topic: error.topic, partition: error.partition, error: String(failure) },
        'source: offset out of range, and the range is not known',
      )
      await this.#sleep(RETRY_MS_MAX)
    }
    return true
  }

  async #offset(partition: Partition, timestamp: -1 | -2): Promise<number> {
    const answer = (await this.#cluster.fetchTopicsOffset([
      { topic: partition.topic, partitions: [{ partition: partition.partition }], fromTimestamp: timestamp } as never,
    ])) as unknown as { partitions: { partition: number; offset: string }[] }[]
    return Number(answer[0]?.partitions[0]?.offset ?? Number.NaN)
  }

  async #quarantine(id: number, partitions: readonly Partition[]): Promise<void> {
    const failed: { partition: Partition; error: unknown }[] = []
    for (const each of partitions) {
      if (each.closed) continue
      await this.#fetch(id, [each]).catch((error: unknown) => failed.push({ partition: each, error }))
    }
    for (const { partition, error } of failed) {
      partition.troubled = true
      partition.sink.trouble(`Kafka: ${error instanceof Error ? error.message : String(error)}`)
      // With none readable the broker itself is the trouble: all are tried again at once.
      if (failed.length < partitions.length) partition.quarantinedUntil = performance.now() + QUARANTINE_MS
    }
  }
}

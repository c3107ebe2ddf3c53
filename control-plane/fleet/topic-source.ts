import { commitGroupOffsets, fetchGroupOffsets, type GroupOffset } from '../../runtime/group-offsets.ts'
import type { Cluster, OpenCluster } from '../../runtime/kafka.ts'
import { asFleetError, FleetError } from './fleet-error.ts'
import { within } from './within.ts'

/** What kafkajs' Cluster and Broker have and their types leave out. */
interface Metadata {
  metadata(request: { topics: string[] }): Promise<{
    topicMetadata: { topic: string; partitionMetadata: { partitionId: number; leader: number }[] }[]
  } | null>
}
interface OffsetsBroker {
  listOffsets(request: {
    replicaId: number
    isolationLevel: number
    topics: { topic: string; partitions: { partition: number; timestamp: number }[] }[]
  }): Promise<{ responses: { partitions: { partition: number; offset: string }[] }[] }>
}
interface GroupsBroker {
  deleteGroups(groups: string[]): Promise<{ results: { groupId: string; errorCode: number }[] }>
}

const latest = -1
const earliest = -2
const missingTopic = new Set(['UNKNOWN_TOPIC_OR_PARTITION', 'INVALID_TOPIC_EXCEPTION'])

/** Partitions, offsets and groups of the configured Kafka clusters. Every call has a deadline and rejects when Kafka does not answer. */
export class TopicSource {
  readonly #clusters: ReadonlyMap<string, OpenCluster>
  readonly #timeoutMs: number
  #connected = new Set<OpenCluster>()

  constructor(clusters: ReadonlyMap<string, OpenCluster>, timeoutMs: number) {
    this.#clusters = clusters
    this.#timeoutMs = timeoutMs
  }

  hasCluster(cluster: string): boolean {
    return this.#clusters.has(cluster)
  }

  /** Rejects when a cluster does not answer. */
  async ping(): Promise<void> {
    for (const name of this.#clusters.keys()) await this.#ask(name, (cluster) => cluster.refreshMetadata())
  }

  /** Undefined when there is no such topic. */
  async partitions(cluster: string, topic: string): Promise<readonly number[] | undefined> {
    const leaders = await this.#leaders(cluster, topic)
    return leaders === undefined ? undefined : [...leaders.keys()].sort((a, b) => a - b)
  }

  /** The offset that the next record of each partition will get. */
  endOffsets(cluster: string, topic: string): Promise<ReadonlyMap<number, number>> {
    return this.#offsets(cluster, topic, latest)
  }

  /** The lowest offset that Kafka still has of each partition. */
  startOffsets(cluster: string, topic: string): Promise<ReadonlyMap<number, number>> {
    return this.#offsets(cluster, topic, earliest)
  }

  /** The first record at or after a time; a partition that has none is left out. */
  offsetsAt(cluster: string, topic: string, timeMs: number): Promise<ReadonlyMap<number, number>> {
    return this.#offsets(cluster, topic, timeMs)
  }

  groupOffsets(cluster: string, group: string, topic: string, partitions: readonly number[]): Promise<GroupOffset[]> {
    return this.#ask(cluster, (open) => fetchGroupOffsets(open, group, topic, partitions))
  }

  commit(cluster: string, group: string, topic: string, offsets: readonly GroupOffset[]): Promise<void> {
    return this.#ask(cluster, (open) => commitGroupOffsets(open, group, topic, offsets))
  }

  /** Also when there is no such group. */
  deleteGroup(cluster: string, group: string): Promise<void> {
    return this.#ask(cluster, async (open) => {
      const coordinator = (await open.findGroupCoordinator({ groupId: group })) as unknown as GroupsBroker
      await coordinator.deleteGroups([group]).catch((error: { type?: string }) => {
        if (error.type !== 'GROUP_ID_NOT_FOUND') throw error
      })
    })
  }

  async close(): Promise<void> {
    await Promise.all([...this.#connected].map((open) => open.disconnect().catch(() => {})))
  }

  async #leaders(cluster: string, topic: string): Promise<Map<number, number> | undefined> {
    return this.#ask(cluster, async (open) => {
      try {
        const answer = await (open as unknown as Metadata).metadata({ topics: [topic] })
        const found = answer?.topicMetadata.find((each) => each.topic === topic)
        if (found === undefined) throw new Error(`no broker of cluster ${cluster} answers`)
        return new Map(found.partitionMetadata.map((each) => [each.partitionId, each.leader]))
      } catch (error) {
        if (missingTopic.has((error as { type?: string }).type ?? '')) return undefined
        throw error
      }
    })
  }

  async #offsets(cluster: string, topic: string, timestamp: number): Promise<ReadonlyMap<number, number>> {
    const leaders = await this.#leaders(cluster, topic)
    if (leaders === undefined)
      throw new FleetError('SOURCE_UNAVAILABLE', `there is no topic ${topic} in Kafka cluster ${cluster}`)
    const byLeader = Map.groupBy([...leaders.keys()], (partition) => leaders.get(partition)!)
    const answers = await Promise.all(
      [...byLeader].map(([leader, partitions]) =>
        this.#ask(cluster, async (open) => {
          const broker = (await open.findBroker({ nodeId: String(leader) })) as unknown as OffsetsBroker
          const topics = [{ topic, partitions: partitions.map((partition) => ({ partition, timestamp })) }]
          return broker.listOffsets({ replicaId: -1, isolationLevel: 0, topics })
        }),
      ),
    )
    const offsets = answers.flatMap(({ responses }) => responses.flatMap((each) => each.partitions))
    return new Map(offsets.filter((each) => Number(each.offset) >= 0).map((each) => [each.partition, Number(each.offset)]))
  }

  async #ask<T>(name: string, question: (cluster: Cluster) => Promise<T>): Promise<T> {
    const open = this.#clusters.get(name)
    if (open === undefined) {
      const names = [...this.#clusters.keys()].join(', ')
      throw new FleetError('SOURCE_UNAVAILABLE', `Kafka cluster ${name} is not configured; configured are: ${names}`)
    }
    const work = async (): Promise<T> => {
      if (!this.#connected.has(open)) {
        await open.connect()
        this.#connected.add(open)
      }
      try {
        return await question(open.cluster)
      } catch (error) {
        if (isAnswer(error)) throw error
        // A broker that moved or came back is found by fresh metadata, and by nothing else.
        await open.cluster.refreshMetadata()
        return question(open.cluster)
      }
    }
    const answer = within(work(), this.#timeoutMs, 'the answer')
    return asFleetError('SOURCE_UNAVAILABLE', `Kafka cluster ${name} does not answer`, answer)
  }
}

/** Kafka has answered, and asking again would not change it. */
function isAnswer(error: unknown): boolean {
  const { type, retriable } = error as { type?: string; retriable?: boolean }
  return type !== undefined && (missingTopic.has(type) || retriable === false)
}

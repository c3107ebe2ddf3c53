import { commitGroupOffsets, fetchGroupOffsets, type GroupOffset } from '../../runtime/group-offsets.ts'
import type { Cluster, OpenCluster } from '../../runtime/kafka.ts'
import { kafkaErrorName } from '../../runtime/kafka-error-codes.ts'
import { isAbsent, type TopicMetadata } from '../../runtime/kafka-metadata.ts'
import { earliest, latest, listOffsets } from '../../runtime/kafka-offsets.ts'
import { Calls } from '../../runtime/metrics/calls.ts'
import { asFleetError, FleetError } from './fleet-error.ts'
import { within } from './within.ts'

/** What kafkajs' Cluster and Broker have and their types leave out. */
interface Metadata {
  metadata(request: { topics: string[] }): Promise<{ topicMetadata: readonly TopicMetadata[] } | null>
}
interface TopicsBroker {
  createTopics(request: {
    topics: {
      topic: string
      numPartitions: number
      replicationFactor: number
      configEntries: { name: string; value: string }[]
    }[]
  }): Promise<unknown>
}
interface GroupsBroker {
  deleteGroups(groups: string[]): Promise<{ results: { groupId: string; errorCode: number }[] }>
}

/** Offsets as far as the leaders of their partitions have said them. */
export interface PartialOffsets {
  readonly offsets: ReadonlyMap<number, number>
  /** By partition, why its leader has said nothing. */
  readonly unanswered: ReadonlyMap<number, string>
}

/** Partitions, offsets and groups of the configured Kafka clusters. Every call has a deadline and rejects when Kafka does not answer. */
export class TopicSource {
  /** By cluster. */
  readonly questions: ReadonlyMap<string, Calls>
  readonly #clusters: ReadonlyMap<string, OpenCluster>
  readonly #timeoutMs: number
  #connected = new Set<OpenCluster>()

  constructor(clusters: ReadonlyMap<string, OpenCluster>, timeoutMs: number) {
    this.#clusters = clusters
    this.#timeoutMs = timeoutMs
    this.questions = new Map([...clusters.keys()].map((name) => [name, new Calls()]))
  }

  hasCluster(cluster: string): boolean {
    return this.#clusters.has(cluster)
  }

  /** Rejects when the cluster does not answer. */
  async ping(cluster: string): Promise<void> {
    await this.#ask(cluster, (open) => open.refreshMetadata())
  }

  /** Also those that nobody leads now. Undefined when there is no such topic. */
  async partitions(cluster: string, topic: string): Promise<readonly number[] | undefined> {
    const leaders = await this.#leaders(cluster, topic)
    return leaders === undefined ? undefined : [...leaders.keys()].sort((a, b) => a - b)
  }

  /** Another one when the topic is deleted and created again; empty when the brokers have no ids. */
  async topicId(cluster: string, topic: string): Promise<string> {
    return (await this.#describe(cluster, topic))?.topicId ?? ''
  }

  /** One that is there already stays as it is. replicationFactor -1: Kafka's default. */
  createTopic(
    cluster: string,
    topic: string,
    numPartitions: number,
    replicationFactor: number,
    configs: Readonly<Record<string, string>>,
  ): Promise<void> {
    return this.#ask(cluster, async (open) => {
      const controller = (await open.findControllerBroker()) as unknown as TopicsBroker
      const configEntries = Object.entries(configs).map(([name, value]) => ({ name, value }))
      try {
        await controller.createTopics({ topics: [{ topic, numPartitions, replicationFactor, configEntries }] })
      } catch (error) {
        if (!saysThatItExists(error)) throw error
      }
    })
  }

  /** The offset that the next record of each partition will get. Rejects when a partition has no leader that answers. */
  async endOffsets(cluster: string, topic: string): Promise<ReadonlyMap<number, number>> {
    return complete(topic, await this.#partialOffsets(cluster, topic, latest))
  }

  /** The lowest offset that Kafka still has of each partition. Rejects when a partition has no leader that answers. */
  async startOffsets(cluster: string, topic: string): Promise<ReadonlyMap<number, number>> {
    return complete(topic, await this.#partialOffsets(cluster, topic, earliest))
  }

  knownStartOffsets(cluster: string, topic: string): Promise<PartialOffsets> {
    return this.#partialOffsets(cluster, topic, earliest)
  }

  /** The first record at or after a time; a partition that has none is left out. */
  async offsetsAt(cluster: string, topic: string, timeMs: number): Promise<ReadonlyMap<number, number>> {
    return complete(topic, await this.#partialOffsets(cluster, topic, timeMs))
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

  /** By partition; -1 where nobody leads. */
  async #leaders(cluster: string, topic: string): Promise<Map<number, number> | undefined> {
    const found = await this.#describe(cluster, topic)
    return found && new Map(found.partitionMetadata.map((each) => [each.partitionId, each.leader]))
  }

  /** Undefined when there is no such topic. */
  async #describe(cluster: string, topic: string): Promise<TopicMetadata | undefined> {
    return this.#ask(cluster, async (open) => {
      const answer = await (open as unknown as Metadata).metadata({ topics: [topic] })
      const found = answer?.topicMetadata.find((each) => each.topic === topic)
      if (found === undefined) throw new Error(`no broker of cluster ${cluster} answers`)
      if (isAbsent(found)) return undefined
      if (found.topicErrorCode !== 0) throw new Error(`topic ${topic}: ${kafkaErrorName(found.topicErrorCode)}`)
      return found
    })
  }

  /** Each leader answers for what it leads; one that is away keeps no other partition's offset back. */
  async #partialOffsets(cluster: string, topic: string, timestamp: number): Promise<PartialOffsets> {
    const leaders = await this.#leaders(cluster, topic)
    if (leaders === undefined)
      throw new FleetError('SOURCE_UNAVAILABLE', `there is no topic ${topic} in Kafka cluster ${cluster}`)
    const offsets = new Map<number, number>()
    const unanswered = new Map<number, string>()
    const ask = async (leader: number, partitions: readonly number[]): Promise<void> => {
      try {
        if (leader < 0) throw new Error('no broker leads it now')
        const listed = await this.#ask(cluster, async (open) =>
          listOffsets(await open.findBroker({ nodeId: String(leader) }), topic, partitions, timestamp),
        )
        for (const { partition, errorCode, offset } of listed) {
          if (errorCode !== 0) unanswered.set(partition, kafkaErrorName(errorCode))
          else if (offset >= 0) offsets.set(partition, offset)
        }
      } catch (error) {
        for (const partition of partitions) unanswered.set(partition, error instanceof Error ? error.message : String(error))
      }
    }
    const byLeader = Map.groupBy([...leaders.keys()], (partition) => leaders.get(partition)!)
    await Promise.all([...byLeader].map(([leader, partitions]) => ask(leader, partitions)))
    return { offsets, unanswered }
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
    const described = work().catch((error: unknown) => {
      // What Kafka has answered is not for words about connections.
      throw isAnswer(error) ? error : new Error(open.describe(error), { cause: error })
    })
    const answer = this.questions.get(name)!.time(() => within(described, this.#timeoutMs, 'the answer'))
    return asFleetError('SOURCE_UNAVAILABLE', `Kafka cluster ${name} does not answer`, answer)
  }
}

/** Another replica, or an earlier try whose answer got lost, was first. */
function saysThatItExists(error: unknown): boolean {
  const { errors = [error] } = error as { errors?: readonly unknown[] }
  return errors.every((each) => (each as { type?: string }).type === 'TOPIC_ALREADY_EXISTS')
}

/** Kafka has answered, and asking again would not change it. */
function isAnswer(error: unknown): boolean {
  const { type, retriable } = error as { type?: string; retriable?: boolean }
  return type !== undefined && retriable === false
}

function complete(topic: string, { offsets, unanswered }: PartialOffsets): ReadonlyMap<number, number> {
  if (unanswered.size > 0) throw new FleetError('SOURCE_UNAVAILABLE', describeUnanswered(topic, unanswered))
  return offsets
}

const namedMax = 5

/** Which partitions do not answer, and why the first does not. */
export function describeUnanswered(topic: string, unanswered: ReadonlyMap<number, string>): string {
  const partitions = [...unanswered.keys()].sort((a, b) => a - b)
  const named = partitions.slice(0, namedMax).join(', ')
  const more = partitions.length > namedMax ? ` and ${partitions.length - namedMax} more` : ''
  return `Kafka does not answer for partition ${named}${more} of topic ${topic}: ${unanswered.get(partitions[0]!)}`
}

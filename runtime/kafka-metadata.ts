import type { Broker, Cluster } from 'kafkajs'
import { kafkaErrors } from './kafka-error-codes.ts'
import { askBroker, bestVersion, type KafkaRequest } from './kafka-request.ts'
import type { WireReader } from './kafka-wire.ts'

/** A topic as a broker described it. The field names are those that kafkajs reads. */
export interface TopicMetadata {
  readonly topic: string
  /** Another one when the topic is deleted and created again; '' from brokers before Kafka 3.1. */
  readonly topicId: string
  /** 0: it is there. */
  readonly topicErrorCode: number
  readonly partitionMetadata: readonly PartitionMetadata[]
}

interface PartitionMetadata {
  readonly partitionId: number
  /** -1: nobody leads it now. */
  readonly leader: number
  readonly partitionErrorCode: number
  readonly replicas: readonly number[]
  readonly isr: readonly number[]
}

interface Metadata {
  readonly brokers: readonly { nodeId: number; host: string; port: number; rack: string | null }[]
  readonly clusterId: string | null
  readonly controllerId: number
  readonly topicMetadata: readonly TopicMetadata[]
}

const KEY = 3
/** The first has topic ids; the other is what the oldest brokers in use speak. */
const VERSIONS = [12, 5]
const absent = new Set<number>([kafkaErrors.UNKNOWN_TOPIC_OR_PARTITION, kafkaErrors.INVALID_TOPIC_EXCEPTION])

/** Whether the broker says that there is no such topic. */
export const isAbsent = ({ topicErrorCode }: TopicMetadata): boolean => absent.has(topicErrorCode)

function metadataRequest(topics: readonly string[], version: number): KafkaRequest<Metadata> {
  const hasIds = version >= 12
  return {
    ...{ name: 'Metadata', key: KEY, version, isFlexible: hasIds },
    write: (body) => {
      body.array(topics.length)
      for (const topic of topics) {
        if (hasIds) body.uuid('')
        body.string(topic).tags()
      }
      body.boolean(false)
      if (hasIds) body.boolean(false)
      body.tags()
    },
    read: (answer) => readMetadata(answer, hasIds),
  }
}

function readMetadata(answer: WireReader, hasIds: boolean): Metadata {
  const brokers = answer.array(() => {
    const broker = { nodeId: answer.int32(), host: answer.string()!, port: answer.int32(), rack: answer.string() }
    answer.tags()
    return broker
  })
  const clusterId = answer.string()
  const controllerId = answer.int32()
  const topicMetadata = answer.array(() => {
    const topicErrorCode = answer.int16()
    const topic = answer.string() ?? ''
    const topicId = hasIds ? answer.uuid() : ''
    answer.boolean()
    const partitionMetadata = answer.array(() => readPartition(answer, hasIds))
    if (hasIds) answer.int32()
    answer.tags()
    return { topic, topicId, topicErrorCode, partitionMetadata }
  })
  return { brokers, clusterId, controllerId, topicMetadata }
}

function readPartition(answer: WireReader, hasIds: boolean): PartitionMetadata {
  const partitionErrorCode = answer.int16()
  const partitionId = answer.int32()
  const leader = answer.int32()
  if (hasIds) answer.int32()
  const int32s = () => answer.array(() => answer.int32())
  const [replicas, isr] = [int32s(), int32s()]
  int32s()
  answer.tags()
  // A broker that leads and is not reachable by this listener leads nothing for us.
  const isLed = partitionErrorCode !== kafkaErrors.LEADER_NOT_AVAILABLE
  return { partitionId, leader: isLed ? leader : -1, partitionErrorCode, replicas, isr }
}

/** What kafkajs' Cluster has and its types leave out. */
interface RawCluster {
  readonly brokerPool: {
    createBroker: (options: unknown) => Broker
    readonly metadata: { readonly topicMetadata: readonly TopicMetadata[] } | null
  }
}

/**
 * kafkajs refuses all of a broker's metadata when one topic is missing, or one partition has no leader, and asks for every topic of
 * the cluster when it needs none. With this, a Cluster hears of each topic and partition what there is to hear, and of their ids.
 */
export function tolerateMetadata(cluster: Cluster): void {
  const pool = (cluster as unknown as RawCluster).brokerPool
  const create = pool.createBroker
  pool.createBroker = (options) => {
    const broker = create(options)
    const metadata = async (topics: readonly string[] = []): Promise<Metadata> =>
      askBroker(broker, metadataRequest(topics, bestVersion(broker, KEY, VERSIONS)))
    return Object.assign(broker, { metadata })
  }
}

/** A topic as of the last refresh; undefined when it was not asked for. */
export const findTopic = (cluster: Cluster, topic: string): TopicMetadata | undefined =>
  (cluster as unknown as RawCluster).brokerPool.metadata?.topicMetadata.find((each) => each.topic === topic)

import type { Cluster, Kafka, PartitionAssigner } from 'kafkajs'
import kafkajs from 'kafkajs'
import { tolerateMetadata } from './kafka-metadata.ts'
import type { Logger } from './log.ts'

export type { Broker, Cluster, Kafka } from 'kafkajs'

/** requestTimeoutMs must be longer than the longest fetch wait. */
export function connectKafka(brokers: readonly string[], clientId: string, requestTimeoutMs: number, log: Logger): Kafka {
  return new kafkajs.Kafka({
    brokers: [...brokers],
    clientId,
    requestTimeout: requestTimeoutMs,
    connectionTimeout: Math.min(requestTimeoutMs, 5000),
    logLevel: kafkajs.logLevel.ERROR,
    logCreator: () => (entry) => log.debug({ kafka: entry.log.message, namespace: entry.namespace }, 'kafkajs'),
    retry: { retries: 2, initialRetryTime: 50, maxRetryTime: 500 },
  })
}

export interface OpenCluster {
  readonly cluster: Cluster
  connect(): Promise<void>
  disconnect(): Promise<void>
}

/** kafkajs hands its Cluster to every partition assigner when a consumer is built: the only public way to its low level. No group is joined. */
export function openCluster(kafka: Kafka): OpenCluster {
  let cluster: Cluster | undefined
  const hook: PartitionAssigner = (given) => {
    cluster = given.cluster
    return { name: 'none', version: 0, assign: async () => [], protocol: () => ({ name: 'none', metadata: Buffer.alloc(0) }) }
  }
  const consumer = kafka.consumer({
    groupId: 'ferry',
    partitionAssigners: [hook],
    allowAutoTopicCreation: false,
    retry: { retries: 2, initialRetryTime: 50 },
  })
  if (!cluster) throw new Error('kafkajs did not call the partition assigner')
  tolerateMetadata(cluster)
  return { cluster, connect: () => consumer.connect(), disconnect: () => consumer.disconnect() }
}

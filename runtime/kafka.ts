import type { Cluster, Kafka, KafkaConfig, PartitionAssigner } from 'kafkajs'
import kafkajs from 'kafkajs'
import { tokenFetcher } from './fetch-token.ts'
import type { KafkaClusterConfig } from './kafka-clusters.ts'
import { describeKafkaFault } from './kafka-fault.ts'
import { tolerateMetadata } from './kafka-metadata.ts'
import type { Logger } from './log.ts'
import { shareToken } from './share-token.ts'

export type { Broker, Cluster, Kafka } from 'kafkajs'

/** One Kafka cluster, and how this process reaches it. */
export interface KafkaClient {
  readonly name: string
  readonly kafka: Kafka
  /** Why a question to it has failed, and what to do about it. */
  describe(error: unknown): string
}

/** requestTimeoutMs must be longer than the longest fetch wait. */
export function connectKafka(config: KafkaClusterConfig, clientId: string, requestTimeoutMs: number, log: Logger): KafkaClient {
  const { name, brokers, tls } = config
  const kafka = new kafkajs.Kafka({
    brokers: [...brokers],
    clientId,
    requestTimeout: requestTimeoutMs,
    connectionTimeout: Math.min(requestTimeoutMs, 5000),
    authenticationTimeout: requestTimeoutMs,
    ...(tls && { ssl: { ...tls } }),
    ...saslOf(config, requestTimeoutMs),
    logLevel: kafkajs.logLevel.ERROR,
    logCreator: () => (entry) => log.debug({ cluster: name, kafka: entry.log.message, namespace: entry.namespace }, 'kafkajs'),
    retry: { retries: 2, initialRetryTime: 50, maxRetryTime: 500 },
  })
  return { name, kafka, describe: (error) => describeKafkaFault(config, error) }
}

function saslOf({ sasl }: KafkaClusterConfig, timeoutMs: number): Pick<KafkaConfig, 'sasl'> {
  if (sasl === undefined) return {}
  const { mechanism, username, password, tokenUrl, scope } = sasl
  switch (mechanism) {
    case 'PLAIN':
      return { sasl: { mechanism: 'plain', username, password } }
    case 'SCRAM-SHA-256':
      return { sasl: { mechanism: 'scram-sha-256', username, password } }
    case 'SCRAM-SHA-512':
      return { sasl: { mechanism: 'scram-sha-512', username, password } }
    case 'OAUTHBEARER': {
      const token = shareToken(tokenFetcher({ tokenUrl, clientId: username, clientSecret: password, scope }, timeoutMs))
      return { sasl: { mechanism: 'oauthbearer', oauthBearerProvider: async () => ({ value: await token() }) } }
    }
  }
}

export interface OpenCluster {
  readonly cluster: Cluster
  connect(): Promise<void>
  disconnect(): Promise<void>
  describe(error: unknown): string
}

/** kafkajs hands its Cluster to every partition assigner when a consumer is built: the only public way to its low level. No group is joined. */
export function openCluster({ kafka, describe }: KafkaClient): OpenCluster {
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
  return { cluster, connect: () => consumer.connect(), disconnect: () => consumer.disconnect(), describe }
}

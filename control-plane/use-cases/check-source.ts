import { timestampMs } from '@bufbuild/protobuf/wkt'
import type { Source } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { defaults } from './defaults.ts'
import type { TopicLookup } from './topic-lookup.ts'
import { UseCaseError } from './use-case-error.ts'
import { quote, someOf, type Violation } from './violation.ts'

const path = 'use_case.spec.source'

export interface SourceContext {
  /** Names of the Kafka clusters that are configured. */
  readonly clusters: readonly string[]
  readonly topics: TopicLookup
}

/** What can be said of a source without asking Kafka. */
export function checkSource(source: Source, clusters: readonly string[]): Violation[] {
  const violations: Violation[] = []
  const cluster = source.cluster || defaults.cluster
  if (!clusters.includes(cluster)) {
    const field = `${path}.cluster`
    const description = `${field} must be a configured Kafka cluster (${someOf(clusters)}); given ${quote(cluster)}`
    violations.push({ field, description, reason: 'CLUSTER_NOT_FOUND' })
  }
  if (source.start.case === 'time' && timestampMs(source.start.value) < 0) {
    const field = `${path}.time`
    const description = `${field} must be 1970-01-01T00:00:00Z or later`
    violations.push({ field, description, reason: 'START_TIME' })
  }
  return violations
}

/** Asks Kafka whether the topic and the partitions that the start names exist. Throws SOURCE_UNAVAILABLE. */
export async function checkTopic(source: Source, { clusters, topics }: SourceContext): Promise<Violation[]> {
  const cluster = source.cluster || defaults.cluster
  if (source.topic === '' || !clusters.includes(cluster)) return []
  const partitions = await countPartitions(topics, cluster, source.topic)
  if (partitions === undefined) return [topicNotFound(`${path}.topic`, cluster, source.topic)]
  if (source.start.case !== 'offsets') return []
  const missing = Object.keys(source.start.value.offsets).filter((each) => Number(each) >= partitions)
  if (missing.length === 0) return []
  const field = `${path}.offsets`
  const description = `${field} must name partitions of the topic, 0 to ${partitions - 1}; given ${someOf(missing)}`
  return [{ field, description, reason: 'PARTITION_NOT_FOUND' }]
}

export const topicNotFound = (field: string, cluster: string, topic: string): Violation => ({
  field,
  description: `${field} must exist in Kafka cluster ${quote(cluster)}; given ${quote(topic)}: create the topic first`,
  reason: 'TOPIC_NOT_FOUND',
})

/** Throws SOURCE_UNAVAILABLE. Undefined: there is no such topic. */
export async function countPartitions(topics: TopicLookup, cluster: string, topic: string): Promise<number | undefined> {
  try {
    return await topics.partitions(cluster, topic)
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause)
    const message = `Kafka cluster ${quote(cluster)} does not say whether topic ${quote(topic)} exists (${why}): call again`
    throw new UseCaseError('SOURCE_UNAVAILABLE', message, { cause, metadata: { cluster, topic } })
  }
}

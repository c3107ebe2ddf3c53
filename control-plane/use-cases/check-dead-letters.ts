import { OnExhausted, type UseCaseSpec } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { countPartitions, type SourceContext, topicNotFound } from './check-source.ts'
import { defaults } from './defaults.ts'
import { quote, type Violation } from './violation.ts'

const field = 'use_case.spec.retry.dead_letter_topic'

/** What can be said of a dead-letter topic without asking Kafka. */
export function checkDeadLetters({ retry, source }: UseCaseSpec): Violation[] {
  if (!retry?.deadLetterTopic) return []
  const violations: Violation[] = []
  if (retry.deadLetterTopic === source?.topic) {
    const description = `${field} must be another topic than the source's, which would bring each letter back; given ${quote(retry.deadLetterTopic)}`
    violations.push({ field, description, reason: 'DEAD_LETTER_LOOP' })
  }
  if (retry.onExhausted === OnExhausted.BLOCK) {
    const description = `${field} must not be set beside on_exhausted BLOCK, which gives nothing up: leave one of them out`
    violations.push({ field, description, reason: 'DEAD_LETTER_EXCLUSIVE' })
  }
  return violations
}

/** Asks Kafka whether the topic exists. Throws SOURCE_UNAVAILABLE. */
export async function checkDeadLetterTopic(
  { retry, source }: UseCaseSpec,
  { clusters, topics }: SourceContext,
): Promise<Violation[]> {
  const cluster = source?.cluster || defaults.cluster
  if (!retry?.deadLetterTopic || !clusters.includes(cluster)) return []
  const partitions = await countPartitions(topics, cluster, retry.deadLetterTopic)
  return partitions === undefined ? [topicNotFound(field, cluster, retry.deadLetterTopic)] : []
}

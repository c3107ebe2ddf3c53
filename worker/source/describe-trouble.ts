import { kafkaErrorName } from '../../runtime/kafka-error-codes.ts'
import { isAbsent, type TopicMetadata } from '../../runtime/kafka-metadata.ts'
import type { BadBatch } from './record-batch.ts'

interface Named {
  readonly topic: string
  readonly partition: number
  readonly key: string
}

/** Why nobody can be asked for a partition; `found`: its topic, as the last metadata had it. */
export function describeLeaderless({ topic, partition, key }: Named, found: TopicMetadata | undefined): string {
  if (found === undefined || isAbsent(found)) return `there is no topic ${topic}: it was deleted, or is not there yet`
  if (found.topicErrorCode !== 0) return `${topic}: ${kafkaErrorName(found.topicErrorCode)}`
  const isKnown = found.partitionMetadata.some((each) => each.partitionId === partition)
  return isKnown ? `no broker leads ${key} now: it is read as soon as one does` : `topic ${topic} has no partition ${partition}`
}

/** What is wrong with a batch, and the ways past it. */
export function describeBadBatch({ topic, partition, key }: Named, { firstOffset, nextOffset, reason }: BadBatch): string {
  const to = nextOffset === undefined ? 'the one after it' : String(nextOffset)
  return (
    `the batch at offset ${firstOffset} of ${key} cannot be read: ${reason}. It is tried again every 5 s. To give it up, delete the ` +
    `records of topic ${topic}, partition ${partition}, before offset ${to} (kafka-delete-records): they become a RETENTION range`
  )
}

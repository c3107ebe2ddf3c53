import type { Broker, Cluster } from '../../runtime/kafka.ts'
import { kafkaErrorName, kafkaErrors } from '../../runtime/kafka-error-codes.ts'
import { findTopic } from '../../runtime/kafka-metadata.ts'
import { describeBadBatch } from './describe-trouble.ts'
import { fetchPartitions } from './fetch.ts'
import type { KafkaRecord } from './kafka-record.ts'
import { type RecordBatch, readBatches } from './record-batch.ts'
import { endOf } from './take-response.ts'

const FETCH_BYTES = 1 << 20
const FETCH_WAIT_MS = 100

/** Where the records are: `topicId` '': the brokers know no ids, and whichever topic has the name is read. */
export interface RecordPlace {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
}

/**
 * Reads single records again: `take` gets each that Kafka still has, and must copy what it keeps. What it did not get Kafka no
 * longer has. Rejects when the broker cannot be asked, or its answer does not say.
 */
export async function fetchRecords(
  cluster: Cluster,
  place: RecordPlace,
  offsets: readonly number[],
  take: (record: KafkaRecord, offset: number) => void,
): Promise<void> {
  const wanted = [...offsets].sort((a, b) => a - b)
  await cluster.addTargetTopic(place.topic)
  for (let at = 0; at < wanted.length; ) {
    const from = wanted[at]!
    const batches = await fetchFrom(cluster, place, from)
    if (batches === 'GONE') return
    for (const { records } of batches) {
      for (const record of records) {
        const offset = Number(record.offset)
        while (at < wanted.length && wanted[at]! < offset) at++
        if (wanted[at] === offset) take(record, wanted[at++]!)
      }
    }
    // Up to the end of the last batch nothing else is there; where nothing came, at least this one is gone.
    const end = Math.max(from + 1, endOf(batches) ?? 0)
    while (at < wanted.length && wanted[at]! < end) at++
  }
}

/** What comes at the offset, or after it; nothing when Kafka has nothing there. GONE: the topic was deleted, with all its records. */
async function fetchFrom(cluster: Cluster, place: RecordPlace, offset: number): Promise<readonly RecordBatch[] | 'GONE'> {
  const { topic, topicId, partition } = place
  try {
    const target = { topic, topicId, partition, offset, epoch: -1, bytesMax: FETCH_BYTES }
    const limits = { waitMs: FETCH_WAIT_MS, bytesMax: FETCH_BYTES, readCommitted: false }
    const [answer] = await fetchPartitions(await leaderOf(cluster, place), [target], limits)
    if (answer === undefined) throw new Error(`Kafka's answer has nothing about ${topic}/${partition}`)
    const { errorCode, bytes } = answer.fetched
    if (errorCode === kafkaErrors.OFFSET_OUT_OF_RANGE) return []
    if (errorCode === kafkaErrors.UNKNOWN_TOPIC_ID && (await isReplaced(cluster, place))) return 'GONE'
    if (errorCode !== 0) throw new Error(`Kafka cannot read ${topic}/${partition}: ${kafkaErrorName(errorCode)}`)
    const { batches, bad } = await readBatches(bytes)
    if (batches.length === 0 && bad !== undefined)
      throw new Error(describeBadBatch({ topic, partition, key: `${topic}/${partition}` }, bad))
    return batches
  } catch (error) {
    await cluster.refreshMetadata().catch(() => {})
    throw error
  }
}

/** Whether the name stands for another topic by now, also by fresh metadata. */
async function isReplaced(cluster: Cluster, { topic, topicId }: RecordPlace): Promise<boolean> {
  await cluster.refreshMetadata()
  const now = findTopic(cluster, topic)?.topicId ?? ''
  return now !== '' && now !== topicId
}

async function leaderOf(cluster: Cluster, { topic, partition }: RecordPlace): Promise<Broker> {
  const found = findTopic(cluster, topic)?.partitionMetadata.find((each) => each.partitionId === partition)
  if (found === undefined || found.leader < 0) throw new Error(`${topic}/${partition} has no leader now`)
  return cluster.findBroker({ nodeId: String(found.leader) })
}

import type { Broker, Cluster } from '../../runtime/kafka.ts'
import type { KafkaRecord } from './kafka-record.ts'
import { endOf, type FetchedRecord } from './take-response.ts'

interface Fetched {
  readonly responses: readonly { readonly partitions: readonly { readonly messages: readonly FetchedRecord[] }[] }[]
}

const FETCH_BYTES = 1 << 20
/** A batch that compaction has emptied hides what comes after it unless more is asked for. */
const FETCH_BYTES_MAX = 64 << 20
const FETCH_WAIT_MS = 100

/**
 * Reads single records again: `take` gets each that Kafka still has, and must copy what it keeps. What it did not get Kafka no
 * longer has. Rejects when the broker cannot be asked, or its answer does not say.
 */
export async function fetchRecords(
  cluster: Cluster,
  topic: string,
  partition: number,
  offsets: readonly number[],
  take: (record: KafkaRecord, offset: number) => void,
): Promise<void> {
  const wanted = [...offsets].sort((a, b) => a - b)
  await cluster.addTargetTopic(topic)
  for (let at = 0; at < wanted.length; ) {
    const from = wanted[at]!
    const messages = await fetchFrom(cluster, topic, partition, from)
    for (const message of messages) {
      const offset = Number(message.offset)
      while (at < wanted.length && wanted[at]! < offset) at++
      if (wanted[at] === offset) take(message, wanted[at++]!)
    }
    // Up to the end of the last batch nothing else is there; where nothing came, at least this one is gone.
    const end = Math.max(from + 1, endOf(messages) ?? 0)
    while (at < wanted.length && wanted[at]! < end) at++
  }
}

/** What comes at the offset, or after it; nothing when Kafka has nothing there. */
async function fetchFrom(cluster: Cluster, topic: string, partition: number, offset: number): Promise<readonly FetchedRecord[]> {
  const broker = await leaderOf(cluster, topic, partition)
  try {
    for (let bytes = FETCH_BYTES; bytes <= FETCH_BYTES_MAX; bytes *= 8) {
      const response = (await broker.fetch({
        maxWaitTime: FETCH_WAIT_MS,
        minBytes: 1,
        maxBytes: bytes,
        isolationLevel: 0,
        topics: [{ topic, partitions: [{ partition, fetchOffset: String(offset), maxBytes: bytes }] }],
      })) as unknown as Fetched
      const found = response.responses[0]?.partitions[0]
      if (found === undefined) throw new Error(`Kafka's answer has nothing about ${topic}/${partition}`)
      if (found.messages.length > 0) return found.messages
    }
    return []
  } catch (error) {
    if ((error as { type?: string }).type === 'OFFSET_OUT_OF_RANGE') return []
    await cluster.refreshMetadata().catch(() => {})
    throw error
  }
}

async function leaderOf(cluster: Cluster, topic: string, partition: number): Promise<Broker> {
  const metadata = cluster.findTopicPartitionMetadata(topic) as { partitionId: number; leader: number }[] | undefined
  const leader = metadata?.find((each) => each.partitionId === partition)?.leader
  if (leader === undefined || leader < 0) {
    await cluster.refreshMetadata()
    throw new Error(`${topic}/${partition} has no leader now`)
  }
  return cluster.findBroker({ nodeId: String(leader) })
}

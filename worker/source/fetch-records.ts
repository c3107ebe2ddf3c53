import type { Broker, Cluster } from '../../runtime/kafka.ts'
import type { KafkaRecord } from './kafka-record.ts'

interface Fetched {
  readonly responses: readonly {
    readonly partitions: readonly { readonly highWatermark: string; readonly messages: readonly KafkaRecord[] }[]
  }[]
}

const FETCH_BYTES_MAX = 1 << 20
const FETCH_WAIT_MS = 100
/** Records further apart are fetched apart. */
const FETCHES_MAX = 10_000

/** Reads single records again; those that Kafka no longer has are left out. Rejects when the broker cannot be asked. */
export async function fetchRecords(
  cluster: Cluster,
  topic: string,
  partition: number,
  offsets: readonly number[],
): Promise<Map<number, KafkaRecord>> {
  const found = new Map<number, KafkaRecord>()
  const wanted = [...offsets].sort((a, b) => a - b)
  await cluster.addTargetTopic(topic)
  for (let at = 0, fetches = 0; at < wanted.length && fetches < FETCHES_MAX; fetches++) {
    const from = wanted[at]!
    const messages = await fetchFrom(cluster, topic, partition, from)
    const last = Number(messages.at(-1)?.offset ?? from)
    for (const message of messages) {
      const offset = Number(message.offset)
      while (at < wanted.length && wanted[at]! < offset) at++
      if (wanted[at] === offset) found.set(wanted[at++]!, message)
    }
    while (at < wanted.length && wanted[at]! <= last) at++
  }
  return found
}

async function fetchFrom(cluster: Cluster, topic: string, partition: number, offset: number): Promise<readonly KafkaRecord[]> {
  const metadata = cluster.findTopicPartitionMetadata(topic) as { partitionId: number; leader: number }[]
  const leader = metadata.find((each) => each.partitionId === partition)?.leader
  if (leader === undefined || leader < 0) {
    await cluster.refreshMetadata()
    throw new Error(`${topic}/${partition} has no leader now`)
  }
  const broker: Broker = await cluster.findBroker({ nodeId: String(leader) })
  try {
    const response = (await broker.fetch({
      maxWaitTime: FETCH_WAIT_MS,
      minBytes: 1,
      maxBytes: FETCH_BYTES_MAX,
      isolationLevel: 0,
      topics: [{ topic, partitions: [{ partition, fetchOffset: String(offset), maxBytes: FETCH_BYTES_MAX }] }],
    })) as unknown as Fetched
    return response.responses[0]?.partitions[0]?.messages ?? []
  } catch (error) {
    if ((error as { type?: string }).type === 'OFFSET_OUT_OF_RANGE') return []
    await cluster.refreshMetadata().catch(() => {})
    throw error
  }
}

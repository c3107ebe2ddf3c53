import { randomBytes } from 'node:crypto'
import type kafkajs from 'kafkajs'
import type { Topic } from './topic.ts'

/** One record, as an ordinary consumer sees it. */
export interface TopicRecord {
  readonly partition: number
  readonly offset: number
  readonly key: string | undefined
  /** Undefined: a tombstone. */
  readonly value: Buffer | undefined
  readonly headers: Readonly<Record<string, string>>
}

const readMsMax = 60_000

/** All records of a topic, by an ordinary consumer that sees what is committed. The last offset of each partition must be a record. */
export async function readTopic(topic: Topic): Promise<TopicRecord[]> {
  const ends = await topic.endOffsets()
  const open = new Set([...ends].filter(([, end]) => end > 0).map(([partition]) => partition))
  const records: TopicRecord[] = []
  if (open.size === 0) return records
  const consumer = topic.kafka.consumer({
    ...{ groupId: `judge-${randomBytes(5).toString('hex')}`, sessionTimeout: 30_000 },
    // A batch that compaction has emptied hides, from this client, what comes after it and does not fit into the rest.
    ...{ maxBytesPerPartition: 8 << 20, maxBytes: 32 << 20 },
  })
  await consumer.connect()
  try {
    await consumer.subscribe({ topic: topic.name, fromBeginning: true })
    await new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`${topic.name} could not be read in ${readMsMax / 1000} s`)), readMsMax)
      const eachBatch = async ({ batch }: { batch: { partition: number; messages: kafkajs.KafkaMessage[] } }) => {
        const { partition } = batch
        for (const { offset, key, value, headers = {} } of batch.messages) {
          records.push({
            partition,
            offset: Number(offset),
            key: key?.toString(),
            value: value ?? undefined,
            headers: textsOf(headers),
          })
        }
        if (Number(batch.messages.at(-1)?.offset ?? -1) >= ends.get(partition)! - 1) open.delete(partition)
        if (open.size > 0) return
        clearTimeout(late)
        resolve()
      }
      consumer.run({ eachBatch }).catch(reject)
    })
  } finally {
    await consumer.disconnect()
  }
  return records
}

const textsOf = (headers: kafkajs.IHeaders): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]))

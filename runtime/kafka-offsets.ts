import type { Broker } from 'kafkajs'
import { askBroker, bestVersion } from './kafka-request.ts'

/** One partition's answer. `offset` -1: there is no record so young. */
export interface ListedOffset {
  readonly partition: number
  /** 0: all is well. */
  readonly errorCode: number
  readonly offset: number
}

/** Asked for in place of a time: the end, and the lowest offset that Kafka still has. */
export const latest = -1
export const earliest = -2

const KEY = 2
const VERSIONS = [3]
const CONSUMER = -1

/** Asks a broker for offsets at a time (Unix ms), `latest` or `earliest`; each partition answers for itself. */
export async function listOffsets(
  broker: Broker,
  topic: string,
  partitions: readonly number[],
  timestamp: number,
): Promise<ListedOffset[]> {
  const answer = await askBroker(broker, {
    ...{ name: 'ListOffsets', key: KEY, version: bestVersion(broker, KEY, VERSIONS), isFlexible: false },
    write: (body) => {
      body.int32(CONSUMER).int8(0).array(1).string(topic).array(partitions.length)
      for (const partition of partitions) body.int32(partition).int64(timestamp)
    },
    read: (from) =>
      from.array(() => {
        from.string()
        return from.array(() => {
          const [partition, errorCode] = [from.int32(), from.int16()]
          from.int64()
          return { partition, errorCode, offset: from.int64() }
        })
      }),
  })
  return answer.flat()
}

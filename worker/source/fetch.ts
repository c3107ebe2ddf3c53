import type { Broker } from '../../runtime/kafka.ts'
import { askBroker, bestVersion, type KafkaRequest } from '../../runtime/kafka-request.ts'
import type { WireReader, WireWriter } from '../../runtime/kafka-wire.ts'

/** A partition to read from. */
export interface FetchTarget {
  readonly topic: string
  /** '' where the broker knows none: then the partition is asked for by the topic's name, whichever topic has it now. */
  readonly topicId: string
  readonly partition: number
  readonly offset: number
  /** Leader epoch of what lies before the offset: a log that has other records there says so. -1: not known. */
  readonly epoch: number
  readonly bytesMax: number
}

/** What a broker says of one partition. */
export interface FetchedPartition {
  readonly partition: number
  /** 0: all is well; else nothing else counts. */
  readonly errorCode: number
  /** What the next appended record will get, of those that every replica has. */
  readonly highWatermark: number
  /** Where the oldest open transaction begins. */
  readonly lastStableOffset: number
  readonly abortedTransactions: readonly AbortedTransaction[]
  /** From here on the log is another one than that which was read; undefined: it is the same. */
  readonly divergesAt: number | undefined
  /** Record batches; the last one may be cut. */
  readonly bytes: Buffer
}

export interface AbortedTransaction {
  readonly producerId: number
  readonly firstOffset: number
}

export interface FetchLimits {
  readonly waitMs: number
  readonly bytesMax: number
  readonly readCommitted: boolean
}

const KEY = 1
/** The first that asks by topic id, and the last that asks by name and has no tagged fields. */
const BY_ID = 13
const BY_NAME = 11
const CONSUMER = -1
const NO_EPOCH = -1
/** The tag of an epoch and the offset where it ends. */
const DIVERGING_EPOCH = 0

/**
 * Asks a broker for what follows in each partition, in this order: it fills the answer in it. kafkajs' own fetch fails as a whole
 * when one partition has an error, hides batches that compaction has emptied, takes no CRC, and cannot read a batch of 200,000
 * records.
 */
export async function fetchPartitions<T extends FetchTarget>(
  broker: Broker,
  targets: readonly T[],
  limits: FetchLimits,
): Promise<{ readonly target: T; readonly fetched: FetchedPartition }[]> {
  const hasIds = targets.every((each) => each.topicId !== '')
  const version = bestVersion(broker, KEY, hasIds ? [BY_ID, BY_NAME] : [BY_NAME])
  const answer = await askBroker(broker, fetchRequest(targets, limits, version))
  const nameOf = ({ topic, topicId }: FetchTarget): string => (version === BY_ID ? topicId : topic)
  const asked = new Map(targets.map((each) => [`${nameOf(each)}/${each.partition}`, each]))
  return answer.flatMap(({ topic, partitions }) =>
    partitions.flatMap((fetched) => {
      const target = asked.get(`${topic}/${fetched.partition}`)
      return target === undefined ? [] : [{ target, fetched }]
    }),
  )
}

interface FetchedTopic {
  /** Its id or its name, as the version has it. */
  readonly topic: string
  readonly partitions: readonly FetchedPartition[]
}

function fetchRequest(targets: readonly FetchTarget[], limits: FetchLimits, version: number): KafkaRequest<FetchedTopic[]> {
  const byId = version === BY_ID
  return {
    ...{ name: 'Fetch', key: KEY, version, isFlexible: byId },
    write: (body) => {
      body.int32(CONSUMER).int32(limits.waitMs).int32(1).int32(limits.bytesMax)
      body.int8(limits.readCommitted ? 1 : 0)
      // No fetch session.
      body.int32(0).int32(-1)
      const topics = consecutive(targets)
      body.array(topics.length)
      for (const list of topics) writeTopic(body, list, byId)
      body.array(0).string('').tags()
    },
    read: (answer) => readAnswer(answer, byId),
  }
}

/** Neighbours of one topic together: a topic may be named more than once, and the order is the caller's. */
function consecutive(targets: readonly FetchTarget[]): FetchTarget[][] {
  const lists: FetchTarget[][] = []
  for (const each of targets) {
    const last = lists.at(-1)
    if (last !== undefined && last[0]!.topic === each.topic && last[0]!.topicId === each.topicId) last.push(each)
    else lists.push([each])
  }
  return lists
}

function writeTopic(body: WireWriter, list: readonly FetchTarget[], byId: boolean): void {
  if (byId) body.uuid(list[0]!.topicId)
  else body.string(list[0]!.topic)
  body.array(list.length)
  for (const { partition, offset, epoch, bytesMax } of list) {
    body.int32(partition).int32(NO_EPOCH).int64(offset)
    if (byId) body.int32(epoch)
    body.int64(-1).int32(bytesMax).tags()
  }
  body.tags()
}

function readAnswer(answer: WireReader, byId: boolean): FetchedTopic[] {
  const errorCode = answer.int16()
  if (errorCode !== 0) throw new Error(`Kafka refuses the fetch with error ${errorCode}`)
  answer.int32()
  return answer.array(() => {
    const topic = byId ? answer.uuid() : answer.string()!
    const partitions = answer.array(() => readPartition(answer))
    answer.tags()
    return { topic, partitions }
  })
}

function readPartition(answer: WireReader): FetchedPartition {
  const partition = answer.int32()
  const errorCode = answer.int16()
  const highWatermark = answer.int64()
  const lastStableOffset = answer.int64()
  answer.int64()
  const abortedTransactions = answer.array(() => {
    const aborted = { producerId: answer.int64(), firstOffset: answer.int64() }
    answer.tags()
    return aborted
  })
  answer.int32()
  const bytes = answer.bytes()
  let divergesAt: number | undefined
  answer.tags((tag) => {
    if (tag !== DIVERGING_EPOCH) return
    answer.int32()
    divergesAt = answer.int64()
  })
  return { partition, errorCode, highWatermark, lastStableOffset, abortedTransactions, divergesAt, bytes }
}

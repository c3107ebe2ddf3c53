import type { Cluster } from '../../runtime/kafka.ts'
import { kafkaErrorName } from '../../runtime/kafka-error-codes.ts'
import { findTopic } from '../../runtime/kafka-metadata.ts'
import { earliest, latest, listOffsets } from '../../runtime/kafka-offsets.ts'
import type { KafkaRecord } from '../source/kafka-record.ts'
import { type Found, type PlacedPartition, type ReadLimits, readPartition } from './read-partition.ts'
import { TrialError } from './trial-error.ts'

/** Which records are wanted. Time: Unix ms. */
export type Choice =
  | { readonly kind: 'NEWEST' }
  | { readonly kind: 'TIME'; readonly timeMs: number }
  | { readonly kind: 'POSITION'; readonly partition: number; readonly offset: number }

export interface ChosenRecord {
  readonly partition: number
  readonly record: KafkaRecord
}

export interface Chosen {
  readonly records: readonly ChosenRecord[]
  /** One sentence for each partition that could not be read. */
  readonly problems: readonly string[]
}

export type ChooseLimits = Pick<ReadLimits, 'recordsMax' | 'readCommitted' | 'signal'>

/** More would take too long, and show nothing else. */
const PARTITIONS_MAX = 32
/** A partition is asked for so many times its even share. */
const SHARES = 4
/** Of all records together, in memory. */
const BYTES_MAX = 32 << 20
/** Compaction and transactions leave holes: so much further back is looked for the newest when there are too few. */
const BACK_FACTORS = [1, 8, 64]

/** Reads the records that are wanted, as lanes would see them. Rejects with a TrialError. */
export async function chooseRecords(cluster: Cluster, topic: string, choice: Choice, limits: ChooseLimits): Promise<Chosen> {
  const partitions = await placesOf(cluster, topic)
  if (choice.kind === 'POSITION') {
    const place = partitions.find(({ partition }) => partition === choice.partition)
    if (place === undefined)
      throw new TrialError(`topic ${topic} has no partition ${choice.partition}: it has ${partitions.length}, from 0`)
    const [ends] = await offsetsOf(cluster, [place], latest)
    const whole = { ...limits, endOffset: ends!.offset, bytesMax: BYTES_MAX, keeps: 'FIRST' } as const
    const { records, isCut } = await readPartition(cluster, place, choice.offset, whole)
    return { records: records.map((record) => ({ partition: place.partition, record })), problems: isCut ? [cutText(place)] : [] }
  }
  const isNewest = choice.kind === 'NEWEST'
  const starts = await offsetsOf(cluster, partitions, isNewest ? earliest : choice.timeMs)
  const ends = new Map((await offsetsOf(cluster, partitions, latest)).map(({ place, offset }) => [place.partition, offset]))
  const filled = starts.filter(({ place, offset }) => offset >= 0 && offset < (ends.get(place.partition) ?? 0))
  const chosen = filled.slice(0, PARTITIONS_MAX)
  const bytesMax = BYTES_MAX / Math.max(1, chosen.length)
  // Of many partitions not each is read as if it had all of the newest.
  const recordsMax = Math.min(limits.recordsMax, Math.ceil((limits.recordsMax * SHARES) / Math.max(1, chosen.length)))
  const problems: string[] = []
  const readOne = async ({ place, offset }: PlacedOffset): Promise<ChosenRecord[]> => {
    const within = {
      ...limits,
      recordsMax,
      endOffset: ends.get(place.partition)!,
      bytesMax,
      keeps: isNewest ? 'LAST' : 'FIRST',
    } as const
    try {
      const read = isNewest ? newest : readPartition
      const { records, isCut } = await read(cluster, place, offset, within)
      if (isCut) problems.push(cutText(place))
      return records.map((record) => ({ partition: place.partition, record }))
    } catch (error) {
      limits.signal.throwIfAborted()
      problems.push(error instanceof Error ? error.message : String(error))
      return []
    }
  }
  const all = (await Promise.all(chosen.map(readOne))).flat()
  const direction = isNewest ? -1 : 1
  all.sort(
    (a, b) =>
      direction * (Number(a.record.timestamp) - Number(b.record.timestamp) || Number(a.record.offset) - Number(b.record.offset)),
  )
  return { records: all.slice(0, limits.recordsMax), problems }
}

/** The last ones before the end. */
async function newest(cluster: Cluster, place: PlacedPartition, startOffset: number, limits: ReadLimits): Promise<Found> {
  for (const factor of BACK_FACTORS) {
    const from = Math.max(startOffset, limits.endOffset - limits.recordsMax * factor)
    const found = await readPartition(cluster, place, from, limits)
    const isEnough = found.records.length >= limits.recordsMax || found.isCut || from === startOffset
    if (isEnough || factor === BACK_FACTORS.at(-1)) return found
  }
  throw new Error('there is no last factor')
}

const cutText = ({ topic, partition }: PlacedPartition): string =>
  `records of ${topic}/${partition} are left out: together they are too large`

async function placesOf(cluster: Cluster, topic: string): Promise<PlacedPartition[]> {
  await cluster.addTargetTopic(topic)
  await cluster.refreshMetadataIfNecessary()
  const found = findTopic(cluster, topic)
  if (found === undefined || found.topicErrorCode !== 0) throw new TrialError(`Kafka has no topic ${topic} now`)
  const { topicId } = found
  return found.partitionMetadata
    .map(({ partitionId, leader }) => ({ topic, topicId, partition: partitionId, leader }))
    .sort((a, b) => a.partition - b.partition)
}

interface PlacedOffset {
  readonly place: PlacedPartition
  readonly offset: number
}

/** Each leader answers for what it leads; partitions without one are left out. */
async function offsetsOf(cluster: Cluster, places: readonly PlacedPartition[], time: number): Promise<PlacedOffset[]> {
  const byLeader = Map.groupBy(
    places.filter(({ leader }) => leader >= 0),
    ({ leader }) => leader,
  )
  const answers = [...byLeader].map(async ([leader, led]) => {
    const broker = await cluster.findBroker({ nodeId: String(leader) })
    const ids = led.map(({ partition }) => partition)
    const listed = await listOffsets(broker, led[0]!.topic, ids, time)
    return listed.map(({ partition, errorCode, offset }) => {
      if (errorCode !== 0)
        throw new TrialError(`Kafka does not say the offsets of partition ${partition}: ${kafkaErrorName(errorCode)}`)
      return { place: led.find((each) => each.partition === partition)!, offset }
    })
  })
  return (await Promise.all(answers)).flat().sort((a, b) => a.place.partition - b.place.partition)
}

import type { Redis } from '../../runtime/redis.ts'
import { askRedis } from '../store/ask-redis.ts'
import { etaMs, type LagRates, type LagSample, ratesOf, readSample, writeSample } from './lag-samples.ts'
import { type LanePosition, readCursor, readLanePosition } from './lane-position.ts'
import { oldestWaitingMs } from './oldest-waiting.ts'
import { laneOf, type Subject } from './subject.ts'
import { askOffsets, type TimedOffsets, type TopicOffsets } from './topic-offsets.ts'

export interface PartitionLag extends LanePosition {
  readonly partition: number
  readonly end: number
}

export interface Lag {
  /** Between cursor and end. */
  readonly records: number
  readonly parked: number
  /** Undefined when the lag does not shrink. */
  readonly etaMs: number | undefined
  /** Age of the oldest record that is not settled; undefined when there is none. */
  readonly lagMs: number | undefined
  /** Undefined when nothing is known of the last minute. */
  readonly rates: LagRates | undefined
  readonly partitions: readonly PartitionLag[]
}

export interface LagSources {
  readonly redis: Redis
  readonly offsets: TopicOffsets
  /** Prefix of the keys that hold the samples, in the control plane's slot. */
  readonly samplesPrefix: string
}

const samplesKept = 10
const samplesLifetimeMs = 120_000
const lanesAtOnce = 16

/** How far a use case is behind, by Redis and Kafka as of now. */
export async function getLag(
  sources: LagSources & { readonly offsets: TimedOffsets },
  subject: Subject,
  nowMs: number,
): Promise<Lag> {
  const partitions = await readPartitions(sources, subject, (partition) =>
    readLanePosition(sources.redis, laneOf(subject, partition)),
  )
  const now = sampleOf(partitions, nowMs)
  const { records } = now
  const { cluster, topic } = subject
  const [texts, lagMs] = await Promise.all([
    askRedis(() => sources.redis.lrange(sources.samplesPrefix + subject.uid, 0, -1)),
    askOffsets(oldestWaitingMs(partitions, (timeMs) => sources.offsets.offsetsAt(cluster, topic, timeMs), nowMs)),
  ])
  const samples = texts.map(readSample)
  return {
    records,
    parked: partitions.reduce((sum, { parked }) => sum + parked, 0),
    etaMs: etaMs(samples, now),
    lagMs,
    rates: ratesOf(samples, now),
    partitions,
  }
}

/** Remembers how far a use case is behind, in Redis: any replica can then tell the rate of the last minute. Answers the records. */
export async function sampleLag(sources: LagSources, subject: Subject, nowMs: number): Promise<number> {
  const partitions = await readPartitions(sources, subject, async (partition) => {
    const cursor = await readCursor(sources.redis, laneOf(subject, partition))
    return cursor === undefined ? undefined : { cursor, floor: cursor, parked: 0 }
  })
  const sample = sampleOf(partitions, nowMs)
  const key = sources.samplesPrefix + subject.uid
  const write = sources.redis
    .multi()
    .lpush(key, writeSample(sample))
    .ltrim(key, 0, samplesKept - 1)
    .pexpire(key, samplesLifetimeMs)
  await askRedis(() => write.exec())
  return sample.records
}

function sampleOf(partitions: readonly PartitionLag[], timeMs: number): LagSample {
  const sum = (of: (each: PartitionLag) => number): number => partitions.reduce((total, each) => total + of(each), 0)
  return {
    timeMs,
    records: sum(({ cursor, end }) => Math.max(0, end - cursor)),
    cursors: sum(({ cursor }) => cursor),
    ends: sum(({ end }) => end),
  }
}

async function readPartitions(
  { offsets }: LagSources,
  subject: Subject,
  read: (partition: number) => Promise<LanePosition | undefined>,
): Promise<PartitionLag[]> {
  const ends = await askOffsets(offsets.endOffsets(subject.cluster, subject.topic))
  const partitions = [...ends.keys()].sort((a, b) => a - b)
  const positions: (LanePosition | undefined)[] = []
  for (let index = 0; index < partitions.length; index += lanesAtOnce)
    positions.push(...(await Promise.all(partitions.slice(index, index + lanesAtOnce).map(read))))
  // Redis knows no lane there: the partition is new, or the lane's state is lost. Whatever Kafka has may be to do.
  const starts = positions.includes(undefined)
    ? await askOffsets(offsets.startOffsets(subject.cluster, subject.topic))
    : undefined
  return partitions.map((partition, index) => {
    const start = starts?.get(partition) ?? 0
    return { partition, end: ends.get(partition)!, ...(positions[index] ?? { cursor: start, floor: start, parked: 0 }) }
  })
}

// What tests of certificates share: a question whose Kafka and spool are given, and lanes as workers would have left them.

import { laneKeys, writeParked } from '../../runtime/lane-keys.ts'
import type { AskedRange } from './resolve-ranges.ts'
import { laneOf, type Subject } from './subject.ts'
import type { TestLog } from './test-log.ts'
import type { VerifiedTopic } from './topic-offsets.ts'
import { type Verification, type VerifyLimits, verifyRange } from './verify-range.ts'

export const verifyLimits: VerifyLimits = {
  ...{ executionTimeoutMs: 30_000, rowsToReadMax: 100_000_000, groupBytesMax: 500_000_000 },
  ...{ sliceOffsetsMax: 4_000_000, offsetsMax: 10_000_000 },
}

/** What is around the log; each as if all were well. */
export interface Around {
  readonly ranges?: readonly AskedRange[]
  readonly fromMs?: number
  readonly toMs?: number
  readonly sliceOffsetsMax?: number
  readonly offsetsMax?: number
  readonly spooled?: number
  readonly topicId?: string
  /** Kafka's first offset of each partition. */
  readonly starts?: readonly number[]
  /** By partition, the first record at or after a time; undefined where there is none. */
  readonly offsetsAt?: (timeMs: number) => readonly (number | undefined)[]
  /** Kafka's ends when they are asked for once more. */
  readonly endsLater?: readonly number[]
  readonly createMs?: number
}

/** A topic that answers as it is told. */
export function givenTopic(ends: readonly number[], around: Around = {}): VerifiedTopic {
  const { topicId = 'id', starts = [], offsetsAt = () => [], endsLater = ends } = around
  const answers = [ends]
  return {
    endOffsets: async () => byPartition(answers.shift() ?? endsLater),
    startOffsets: async () => byPartition(starts),
    offsetsAt: async (_cluster, _topic, timeMs) => byPartition(offsetsAt(timeMs)),
    topicId: async () => topicId,
  }
}

const byPartition = (offsets: readonly (number | undefined)[]): Map<number, number> =>
  new Map(offsets.flatMap((offset, partition) => (offset === undefined ? [] : [[partition, offset]])))

export function verifyAround(
  log: TestLog,
  subject: Subject,
  ends: readonly number[],
  around: Around = {},
): Promise<Verification> {
  const { ranges = [], spooled = 0, createMs = Date.now() } = around
  const offsets = givenTopic(ends, around)
  const sources = { log: log.reader, redis: log.redis, offsets, spool: { waiting: async () => spooled } }
  const { sliceOffsetsMax = verifyLimits.sliceOffsetsMax, offsetsMax = verifyLimits.offsetsMax } = around
  const limits = { ...verifyLimits, sliceOffsetsMax, offsetsMax }
  const asked = { ranges, fromMs: around.fromMs, toMs: around.toMs }
  return verifyRange(sources, limits, { ...subject, createMs }, asked, Date.now())
}

/** `parked`: the round of each offset that waits. */
export async function setLaneState(
  log: TestLog,
  subject: Subject,
  partition: number,
  cursor: number,
  parked: Record<number, number> = {},
  topicId = '',
): Promise<void> {
  const keys = laneKeys(laneOf(subject, partition))
  await log.redis.hset(keys.lane, { epoch: 1, cursor, topic: topicId })
  for (const [offset, round] of Object.entries(parked)) {
    const times = { attempts: 1, unpaid: 0, firstMs: 1, lastMs: 1, dueMs: 1 }
    const where = { bytes: 1, where: 'K', batch: undefined, stale: false, newKey: false } as const
    await log.redis.hset(keys.parked, offset, writeParked({ state: 'P', keyHash: undefined, ...times, round, ...where }))
  }
}

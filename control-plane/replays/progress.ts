import type { Replay } from '../../proto/gen/ferry/v1/replay_pb.ts'
import type { Redis } from '../../runtime/redis.ts'
import { readLanePosition } from '../attempts/lane-position.ts'
import type { LogReader } from '../attempts/log-reader.ts'
import { decisionSql } from '../attempts/outcome-rule.ts'
import { topicSql } from '../attempts/subject.ts'
import { isRunning, lanesOf, type ReplayRecord, replayIdOf } from './replay.ts'

export type ReplayProgress = Pick<Replay, 'doneCount' | 'delivered' | 'failed' | 'skipped'>

/** How far its lanes are by Redis, while it runs, and what the log has of it. */
export async function countReplay(log: LogReader, redis: Redis, record: ReplayRecord): Promise<ReplayProgress> {
  // The lanes first: what is below their floors has its outcome, which the log is asked for after that.
  const doneCount = isRunning(record) ? await countDone(redis, record) : record.replay.doneCount
  // 1, 2, 3: numbers of the contract's Outcome.
  const [counts] = await log.select<{ delivered: number; failed: number; skipped: number }>({
    sql: `SELECT countIf(decided = 1) AS delivered, countIf(decided = 2) AS failed, countIf(decided = 3) AS skipped
      FROM (SELECT intDiv(${decisionSql}, 256) AS decided FROM outcomes WHERE ${topicSql} AND replay = {replay: String} GROUP BY partition, offset)`,
    params: { uid: record.uid, cluster: record.cluster, topic: record.topic, replay: replayIdOf(record) },
    narrow: 'Replay fewer offsets at a time',
  })
  const { delivered = 0, failed = 0, skipped = 0 } = counts ?? {}
  return { doneCount, delivered: BigInt(delivered), failed: BigInt(failed), skipped: BigInt(skipped) }
}

async function countDone(redis: Redis, record: ReplayRecord): Promise<bigint> {
  const { ranges } = record.replay
  const positions = await Promise.all(lanesOf(record).map((lane) => readLanePosition(redis, lane)))
  return ranges.reduce((sum, { fromOffset, toOffset }, at) => {
    const floor = BigInt(positions[at]?.floor ?? 0)
    const done = (floor < toOffset! ? floor : toOffset!) - fromOffset!
    return sum + (done > 0n ? done : 0n)
  }, 0n)
}

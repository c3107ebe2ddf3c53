import { randomBytes } from 'node:crypto'
import { fromJson, type JsonValue, toJson } from '@bufbuild/protobuf'
import { timestampFromMs, timestampMs } from '@bufbuild/protobuf/wkt'
import { type Replay, ReplaySchema, ReplayState } from '../../proto/gen/ferry/v1/replay_pb.ts'
import { type LaneId, replayPrefix, replayUid } from '../../runtime/lane-keys.ts'
import { type ChangeRow, orderRow } from '../store/change.ts'
import type { OrderKind, OrderStore } from '../store/order-store.ts'

// | state     | the fleet                                       | the leader                                    | next                     |
// |-----------|-------------------------------------------------|-----------------------------------------------|--------------------------|
// | RUNNING   | has it as a use case that ends                  | counts, and looks whether every lane is done  | DONE, CANCELLED          |
// | DONE      | drains its lanes, and removes what is in Redis  |                                               | no longer active         |
// | CANCELLED | the same                                        |                                               | no longer active         |

/** A replay as Redis has it. */
export interface ReplayRecord {
  /** As callers see it, with the progress that was last counted; its ranges have both ends. */
  readonly replay: Replay
  /** Of the use case. */
  readonly uid: string
  readonly cluster: string
  readonly topic: string
  /** Grows by one with every change. */
  readonly revision: number
  /** Field of the request that made it, or empty. */
  readonly request: string
  /** The ranges as they were asked for, as a text. */
  readonly asked: string
}

export type ReplayStore = OrderStore<ReplayRecord>

export const replayIdOf = ({ replay }: ReplayRecord): string => replay.name.slice(replay.name.lastIndexOf('/') + 1)

/** By which the fleet knows it. */
export const fleetUidOf = (record: ReplayRecord): string => replayUid(record.uid, replayIdOf(record))

export const newReplayId = (isShadow: boolean, nowMs: number): string =>
  `${isShadow ? replayPrefix.shadow : replayPrefix.endpoint}${nowMs.toString(36)}-${randomBytes(4).toString('hex')}`

export const isRunning = ({ replay }: ReplayRecord): boolean => replay.state === ReplayState.RUNNING

/** By partition, the offset after the last. */
export const endsOf = ({ replay }: ReplayRecord): Map<number, number> =>
  new Map(replay.ranges.map(({ partition, toOffset }) => [partition, Number(toOffset)]))

export const lanesOf = (record: ReplayRecord): LaneId[] =>
  record.replay.ranges.map(({ partition }) => ({
    ...{ uid: fleetUidOf(record), cluster: record.cluster, topic: record.topic, partition },
  }))

export const replayKind: OrderKind<ReplayRecord> = {
  what: 'replays',
  write: (record) => JSON.stringify({ ...record, replay: toJson(ReplaySchema, record.replay) }),
  read: (text) => {
    const record = JSON.parse(text) as Omit<ReplayRecord, 'replay'> & { readonly replay: JsonValue }
    return { ...record, replay: fromJson(ReplaySchema, record.replay, { ignoreUnknownFields: true }) }
  },
  idOf: replayIdOf,
  useCaseOf: ({ replay }) => replay.useCase,
  createMs: ({ replay }) => timestampMs(replay.createTime!),
}

/** The next revision, with the given differences. */
export const changedReplay = (record: ReplayRecord, replay: Partial<Omit<Replay, '$typeName'>>): ReplayRecord => ({
  ...{ ...record, revision: record.revision + 1 },
  replay: { ...record.replay, ...replay },
})

export const endedReplay = (record: ReplayRecord, state: ReplayState, nowMs: number, cancelReason = ''): ReplayRecord =>
  changedReplay(record, { state, endTime: timestampFromMs(nowMs), cancelReason })

export function replayAudit(
  { replay, uid }: ReplayRecord,
  action: 'REPLAY' | 'REPLAY_CANCEL',
  actor: string,
  reason: string,
  timeMs: number,
): ChangeRow {
  const { name: resource, useCase } = replay
  const after = JSON.stringify(toJson(ReplaySchema, replay))
  return orderRow({ timeMs, actor, action, useCase, uid, resource, reason, after })
}

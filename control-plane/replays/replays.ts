import { create, equals } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { type Replay, ReplaySchema, ReplayState } from '../../proto/gen/ferry/v1/replay_pb.ts'
import { type UseCase, UseCaseState } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import type { Redis } from '../../runtime/redis.ts'
import type { LogReader } from '../attempts/log-reader.ts'
import { QueryError, refuseReusedRequestId } from '../attempts/query-error.ts'
import { subjectOf } from '../attempts/subject.ts'
import type { VerifiedTopic } from '../attempts/topic-offsets.ts'
import { countReplay } from './progress.ts'
import { endedReplay, isRunning, newReplayId, type ReplayRecord, type ReplayStore, replayAudit, replayIdOf } from './replay.ts'
import { resolveOffsets } from './resolve-offsets.ts'

export interface ReplaysOptions {
  readonly store: ReplayStore
  readonly log: LogReader
  readonly redis: Redis
  readonly offsets: Pick<VerifiedTopic, 'startOffsets' | 'endOffsets' | 'offsetsAt'>
  /** Throws when there is none. */
  readonly useCase: (name: string) => Promise<UseCase>
  /** There is a new one, or one has ended: the fleet is to look at once. */
  readonly changed: () => void
  readonly nowMs: () => number
}

const defaultPageSize = 50
const triesMax = 10

/** What operators do with replays, on any replica. Throws QueryError and StoreError, and what `useCase` throws. What is asked for is checked by checkReplay. */
export class Replays {
  readonly #options: ReplaysOptions

  constructor(options: ReplaysOptions) {
    this.#options = options
  }

  /** The same request id, where it is not empty, answers the first replay. */
  async create(asked: Replay, requestId: string, creator: string): Promise<Replay> {
    const { store, offsets, changed, nowMs } = this.#options
    const useCase = await this.#options.useCase(asked.useCase)
    if (useCase.status?.state === UseCaseState.DELETING)
      throw new QueryError('USE_CASE_DELETING', `${useCase.name} is being deleted: nothing of it is sent again`)
    const request = requestId === '' ? '' : `${useCase.uid} ${requestId}`
    const first = request === '' ? undefined : await store.readByRequest(request)
    if (first) return sameRequest(first, asked)
    const { cluster, topic } = subjectOf(useCase)
    const ranges = await resolveOffsets(offsets, cluster, topic, asked)
    const createMs = nowMs()
    const replay = create(ReplaySchema, {
      ...given(asked),
      ...{ ranges, creator, state: ReplayState.RUNNING, createTime: timestampFromMs(createMs) },
      name: `${useCase.name}/replays/${newReplayId(asked.url !== '', createMs)}`,
      offsetCount: ranges.reduce((sum, { fromOffset, toOffset }) => sum + toOffset! - fromOffset!, 0n),
    })
    const record = { replay, uid: useCase.uid, cluster, topic, revision: 1, request, asked: writeAsked(asked) }
    const stored = await store.create(record, request, replayAudit(record, 'REPLAY', creator, asked.reason, createMs))
    changed()
    return stored === record ? replay : sameRequest(stored, asked)
  }

  /** With its progress as of now. */
  async get(name: string): Promise<Replay> {
    const record = await this.#read(name)
    if (record.replay.state === ReplayState.DONE) return record.replay
    const { log, redis } = this.#options
    return { ...record.replay, ...(await countReplay(log, redis, record)) }
  }

  /** Newest first, with progress as it was last counted. */
  async list(useCase: string, pageSize: number, pageToken: string) {
    const { records, more } = await this.#options.store.list(
      useCase,
      pageToken === '' ? undefined : pageToken,
      pageSize || defaultPageSize,
    )
    return { replays: records.map(({ replay }) => replay), nextPageToken: more ? replayIdOf(records.at(-1)!) : '' }
  }

  /** Cancelling what has ended answers it. */
  async cancel(name: string, actor: string, reason: string): Promise<Replay> {
    const { store, changed, nowMs } = this.#options
    for (let tries = 0; tries < triesMax; tries++) {
      const record = await this.#read(name)
      if (!isRunning(record)) return record.replay
      const why = reason === '' ? `by ${actor}` : `by ${actor}: ${reason}`
      const cancelled = endedReplay(record, ReplayState.CANCELLED, nowMs(), why)
      if (!(await store.replace(cancelled, true, replayAudit(cancelled, 'REPLAY_CANCEL', actor, reason, nowMs())))) continue
      changed()
      return cancelled.replay
    }
    throw new QueryError('CONCURRENT_CHANGE', `${name} changes all the time: call again`)
  }

  async #read(name: string): Promise<ReplayRecord> {
    const record = await this.#options.store.read(name.slice(name.lastIndexOf('/') + 1))
    if (record?.replay.name !== name) throw new QueryError('REPLAY_NOT_FOUND', `there is no replay ${JSON.stringify(name)}`)
    return record
  }
}

/** What a caller may choose, but for the offsets. */
const given = ({ useCase, reason, fromTime, toTime, url, withCredentials, recordsPerSecond }: Replay) => ({
  ...{ useCase, reason, url, withCredentials },
  ...(fromTime ? { fromTime } : {}),
  ...(toTime ? { toTime } : {}),
  ...(recordsPerSecond === undefined ? {} : { recordsPerSecond }),
})

/** Offsets change with Kafka's ends: a repeated call is compared by what was asked for. */
const writeAsked = ({ ranges }: Replay): string =>
  ranges.map(({ partition, fromOffset, toOffset }) => `${partition}:${fromOffset ?? ''}-${toOffset ?? ''}`).join()

function sameRequest({ replay, asked: before }: ReplayRecord, asked: Replay): Replay {
  const isSame = equals(ReplaySchema, create(ReplaySchema, given(replay)), create(ReplaySchema, given(asked)))
  if (isSame && before === writeAsked(asked)) return replay
  return refuseReusedRequestId(replay.name, 'another replay')
}

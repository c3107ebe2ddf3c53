import { randomUUID } from 'node:crypto'
import { type Replay, ReplaySchema, ReplayState, ReplayStateSchema } from '../../proto/gen/ferry/v1/replay_pb.ts'
import { allPages } from '../all-pages.ts'
import { usageError } from '../cli-error.ts'
import { confirm } from '../confirm.ts'
import { ExitCode } from '../exit-code.ts'
import { childName, shortChildName, shortName } from '../names.ts'
import { enumWord } from '../output/enum-words.ts'
import { oneLine } from '../output/plain-text.ts'
import { jsonOf, yamlOf } from '../output/show.ts'
import { ageWords, countWords } from '../output/words.ts'
import { parseTime } from '../point-in-time.ts'
import { parseRange } from '../positions.ts'
import type { Session } from '../session.ts'
import { follow } from './follow.ts'

export interface ReplayOptions {
  readonly reason: string
  readonly since?: string
  readonly until?: string
  readonly url?: string
  readonly withCredentials?: boolean
  readonly rate?: number
  readonly requestId?: string
  readonly detach?: boolean
  readonly yes?: boolean
}

const defaultLimit = 50

/** Sends records again, whatever became of them: to the endpoint, or to another URL. */
export async function replay(
  session: Session,
  text: string,
  records: readonly string[],
  options: ReplayOptions,
): Promise<ExitCode> {
  const { reason, since, until, url = '', withCredentials = false, rate, requestId = randomUUID(), detach = false } = options
  const useCase = session.nameOf(text)
  if (records.length === 0 && since === undefined) throw usageError('which records? Name partitions or offsets, or give --since')
  if (records.length > 0 && since !== undefined) throw usageError('records and --since both say where it begins: give one')
  const nowMs = session.nowMs()
  const order = {
    ...{ useCase, reason, url, withCredentials },
    ranges: records.map(parseRange).map(({ partition, from, to }) => ({
      partition,
      ...(from !== undefined && { fromOffset: from }),
      ...(to !== undefined && { toOffset: to }),
    })),
    ...(since !== undefined && { fromTime: parseTime(since, '--since', nowMs) }),
    ...(until !== undefined && { toTime: parseTime(until, '--until', nowMs) }),
    ...(rate !== undefined && { recordsPerSecond: rate }),
  }
  const which = records.length > 0 ? records.join(' ') : `since ${since}`
  const where = url === '' ? 'its endpoint, which gets them once more' : oneLine(url)
  await confirm(session, `Send ${which} of ${shortName(useCase)} again, to ${where}?`, options.yes)
  const { replay: created } = await session.ferry.replays.createReplay({ replay: order, requestId })
  const name = created!.name
  if (detach) {
    await session.show(
      ReplaySchema,
      created!,
      () => `started ${shortChildName(name)}. Follow it: ferry replays watch ${shortChildName(name)}\n`,
    )
    return ExitCode.done
  }
  if (session.format === 'table')
    session.terminal.err(`started ${shortChildName(name)}: ${countWords(created!.offsetCount)} offsets\n`)
  return followReplay(session, name)
}

async function followReplay(session: Session, name: string): Promise<ExitCode> {
  const short = shortChildName(name)
  const done = await follow<Replay>(session, {
    read: async () => (await session.ferry.replays.getReplay({ name })).replay!,
    hasEnded: ({ state }) => state === ReplayState.DONE || state === ReplayState.CANCELLED,
    progressOf: ({ doneCount, offsetCount, failed }) => ({
      done: Number(doneCount),
      total: Number(offsetCount),
      notes: failed > 0n ? [`${countWords(failed)} failed`] : [],
    }),
    goesOn: `the replay goes on. Follow it: ferry replays watch ${short}   Stop it: ferry replays cancel ${short}`,
  })
  if (done === undefined) return ExitCode.interrupted
  await session.show(ReplaySchema, done, () => verdictOf(session, done))
  return done.state === ReplayState.DONE && done.failed === 0n ? ExitCode.done : ExitCode.notGood
}

function verdictOf({ paint }: Session, { name, state, delivered, failed, skipped }: Replay): string {
  const parts = [
    `${countWords(delivered)} delivered`,
    ...(failed > 0n ? [`${countWords(failed)} failed`] : []),
    ...(skipped > 0n ? [`${countWords(skipped)} skipped`] : []),
  ]
  const good = state === ReplayState.DONE && failed === 0n
  return `${(good ? paint.good : paint.warn)(enumWord(ReplayStateSchema, state).toLowerCase())} ${shortChildName(name)}: ${parts.join(', ')}\n`
}

/** Replays of a use case, newest first. */
export async function listReplays(session: Session, text: string, { limit = defaultLimit }: { limit?: number }): Promise<void> {
  const useCase = session.nameOf(text)
  const { items, hasMore } = await allPages(limit, async (pageSize, pageToken) => {
    const { replays, nextPageToken } = await session.ferry.replays.listReplays({ useCase, pageSize, pageToken })
    return { items: replays, next: nextPageToken }
  })
  const nowMs = session.nowMs()
  await session.list(ReplaySchema, items, {
    none: 'there is no replay; ferry replay starts one',
    columns: [
      { title: 'REPLAY', of: ({ name }) => shortChildName(name) },
      { title: 'STATE', of: ({ state }) => enumWord(ReplayStateSchema, state) },
      { title: 'DONE', of: ({ doneCount, offsetCount }) => `${countWords(doneCount)}/${countWords(offsetCount)}`, right: true },
      { title: 'DELIVERED', of: ({ delivered }) => countWords(delivered), right: true },
      { title: 'FAILED', of: ({ failed }) => countWords(failed), right: true },
      { title: 'STARTED', of: ({ createTime }) => ageWords(createTime, nowMs) },
      { title: 'BY', of: ({ creator }) => oneLine(creator), shrinkTo: 8 },
      { title: 'TO', of: ({ url }) => oneLine(url), shrinkTo: 12 },
      { title: 'WHY', of: ({ reason }) => oneLine(reason), shrinkTo: 12 },
    ],
  })
  if (hasMore) session.terminal.err('there are more: --limit N shows them\n')
}

export async function showReplay(session: Session, text: string): Promise<void> {
  const name = childName('replays', text, session.settings.namespace)
  const { replay: found } = await session.ferry.replays.getReplay({ name })
  await session.show(ReplaySchema, found!, () => yamlOf(jsonOf(ReplaySchema, found!)))
}

export const watchReplay = (session: Session, text: string): Promise<ExitCode> =>
  followReplay(session, childName('replays', text, session.settings.namespace))

export async function cancelReplay(
  session: Session,
  text: string,
  { reason = '', yes }: { reason?: string; yes?: boolean },
): Promise<void> {
  const name = childName('replays', text, session.settings.namespace)
  await confirm(session, `Cancel ${shortChildName(name)}? What is on its way ends, nothing more is sent.`, yes)
  const { replay: cancelled } = await session.ferry.replays.cancelReplay({ name, reason })
  await session.show(ReplaySchema, cancelled!, () => verdictOf(session, cancelled!))
}

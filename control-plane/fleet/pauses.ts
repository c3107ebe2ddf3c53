import { LaneCondition } from '../../proto/gen/ferry/v1/lane_pb.ts'
import type { Logger } from '../../runtime/log.ts'
import type { LaneReport } from './heartbeat.ts'
import type { UseCaseSource } from './session-parts.ts'
import type { Worker } from './workers.ts'

export interface AskedPause {
  readonly uid: string
  readonly revision: number
  readonly reason: string
}

/** The use cases whose endpoints gave an answer that pauses them, one each: by the latest revision that a lane reports so. */
export function askedPauses(reports: Iterable<LaneReport>): AskedPause[] {
  const asked = new Map<string, AskedPause>()
  for (const { id, condition, revision, message } of reports) {
    if (condition !== LaneCondition.PAUSED_BY_ANSWER) continue
    const before = asked.get(id.uid)
    if (before === undefined || before.revision < revision) asked.set(id.uid, { uid: id.uid, revision, reason: message })
  }
  return [...asked.values()]
}

/** Pauses use cases whose endpoints ask for it, and resumes those whose time is over. What cannot be written now is tried again by the next call. */
export async function pauseAndResume(
  workers: readonly Pick<Worker, 'reports'>[],
  useCases: Pick<UseCaseSource, 'pauseByAnswer' | 'resumeExpired'>,
  log: Pick<Logger, 'warn'>,
): Promise<void> {
  const reports = workers.flatMap((worker) => [...worker.reports.values()])
  const pauses = askedPauses(reports).map((each) => useCases.pauseByAnswer(each.uid, each.revision, each.reason))
  for (const each of await Promise.allSettled([...pauses, useCases.resumeExpired()]))
    if (each.status === 'rejected') log.warn({ error: String(each.reason) }, 'fleet: could not begin or end a pause')
}

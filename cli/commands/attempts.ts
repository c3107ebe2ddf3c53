import { type Attempt, AttemptSchema, Outcome, OutcomeSchema, ReasonSchema } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { allPages } from '../all-pages.ts'
import { enumWord } from '../output/enum-words.ts'
import { oneLine } from '../output/plain-text.ts'
import type { Column } from '../output/table.ts'
import { ageWords, protoDurationWords, timeWords } from '../output/words.ts'
import type { Session } from '../session.ts'
import { type AttemptFlags, attemptFilter } from './attempt-filter.ts'

const defaultLimit = 50

/** Attempts, newest first. */
export async function attempts(
  session: Session,
  text: string,
  { limit = defaultLimit, ...flags }: AttemptFlags & { readonly limit?: number },
): Promise<void> {
  const useCase = session.nameOf(text)
  const filter = attemptFilter(session, flags)
  const { items, hasMore } = await allPages(limit, async (pageSize, pageToken) => {
    const request = { useCase, filter, pageSize, pageToken }
    const { attempts: page, nextPageToken } = await session.ferry.deliveries.listAttempts(request)
    return { items: page, next: nextPageToken }
  })
  await session.list(AttemptSchema, items, { columns: attemptColumns(session), none: 'no attempt is like that' })
  if (hasMore) session.terminal.err(`there are more: --limit N shows them, --since and the other filters less\n`)
}

export function attemptColumns({ paint, nowMs }: Session): Column<Attempt>[] {
  const now = nowMs()
  return [
    { title: 'TIME', of: ({ attemptTime }) => timeWords(attemptTime) },
    { title: 'AGO', of: ({ attemptTime }) => ageWords(attemptTime, now).replace(' ago', ''), right: true },
    { title: 'RECORD', of: ({ partition, offset }) => `${partition}/${offset}` },
    { title: 'ATTEMPT', of: ({ round, attempt }) => (round === 0 ? String(attempt) : `${attempt} (round ${round})`) },
    {
      title: 'OUTCOME',
      of: ({ outcome }) => enumWord(OutcomeSchema, outcome),
      paint: (cell, { outcome }) => paintOutcome(paint, outcome)(cell),
    },
    { title: 'STATUS', of: ({ status }) => (status === 0 ? '' : String(status)), right: true },
    { title: 'LATENCY', of: ({ latency, attempt }) => (attempt === 0 ? '' : protoDurationWords(latency)), right: true },
    { title: 'KEY', of: ({ key }) => oneLine(key), shrinkTo: 8 },
    { title: 'REASON', of: ({ reason }) => enumWord(ReasonSchema, reason) },
    {
      title: 'ANSWER',
      of: ({ error, responseBody, outcome }) => oneLine(error || (outcome === Outcome.DELIVERED ? '' : responseBody)),
      shrinkTo: 16,
    },
  ]
}

export const paintOutcome = (paint: Session['paint'], outcome: Outcome): ((text: string) => string) => {
  if (outcome === Outcome.DELIVERED) return paint.good
  if (outcome === Outcome.FAILED) return paint.bad
  return outcome === Outcome.RETRY ? paint.warn : paint.faint
}

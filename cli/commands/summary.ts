import { durationFromMs, durationMs } from '@bufbuild/protobuf/wkt'
import { type Purpose, PurposeSchema } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { type AttemptSummary, type IntervalSummary, SummarizeResponseSchema } from '../../proto/gen/ferry/v1/summary_pb.ts'
import { parseDurationMs } from '../duration.ts'
import { shortName } from '../names.ts'
import type { Column } from '../output/table.ts'
import { countWords, durationWords, protoDurationWords, timeWords } from '../output/words.ts'
import { parseTime } from '../point-in-time.ts'
import type { Session } from '../session.ts'
import { oneOf } from './attempt-filter.ts'

export interface SummaryOptions {
  readonly since?: string
  readonly until?: string
  readonly every?: string
  readonly purpose?: readonly string[]
}

/** Attempts in numbers, by interval. */
export async function summary(
  session: Session,
  text: string,
  { since, until, every, purpose = [] }: SummaryOptions,
): Promise<void> {
  const useCase = session.nameOf(text)
  const nowMs = session.nowMs()
  const answer = await session.ferry.deliveries.summarize({
    useCase,
    purposes: purpose.map((word) => oneOf(PurposeSchema, word, '--purpose') as Purpose),
    ...(since !== undefined && { fromTime: parseTime(since, '--since', nowMs) }),
    ...(until !== undefined && { toTime: parseTime(until, '--until', nowMs) }),
    ...(every !== undefined && { interval: durationFromMs(parseDurationMs(every, '--every')) }),
  })
  await session.show(SummarizeResponseSchema, answer, () => {
    const busy = answer.intervals.filter((each) => each.summary !== undefined && each.summary.attempts > 0n)
    const left = answer.intervals.length - busy.length
    const rest = left > 0 ? `${countWords(left)} intervals without attempts are left out\n` : ''
    const interval = answer.interval === undefined ? '' : `, by ${durationWords(durationMs(answer.interval))}`
    const total = session.table(
      figures<AttemptSummary>((each) => each),
      [answer.total!],
    )
    return `${shortName(useCase)}${interval}\n${session.table(intervalColumns, busy)}${rest}\n${total}`
  })
}

function figures<Row>(of: (row: Row) => AttemptSummary): Column<Row>[] {
  const counted = (title: string, count: (each: AttemptSummary) => bigint): Column<Row> => ({
    title,
    right: true,
    of: (row) => (count(of(row)) === 0n ? '' : countWords(count(of(row)))),
  })
  const timed = (title: string, take: (each: AttemptSummary) => AttemptSummary['latencyP50']): Column<Row> => ({
    title,
    right: true,
    of: (row) => protoDurationWords(take(of(row))),
  })
  return [
    { title: 'ATTEMPTS', right: true, of: (row) => countWords(of(row).attempts) },
    { title: '/S', right: true, of: (row) => of(row).attemptsPerSecond.toFixed(1) },
    counted('REQUESTS', ({ requests }) => requests),
    counted('DELIVERED', ({ delivered }) => delivered),
    counted('RETRIED', ({ retried }) => retried),
    counted('FAILED', ({ failed }) => failed),
    counted('SKIPPED', ({ skipped }) => skipped),
    counted('SUPERSEDED', ({ superseded }) => superseded),
    counted('2XX', (each) => each.status2xx),
    counted('3XX', (each) => each.status3xx),
    counted('4XX', (each) => each.status4xx),
    counted('5XX', (each) => each.status5xx),
    counted('NO ANSWER', ({ unanswered }) => unanswered),
    timed('P50', ({ latencyP50 }) => latencyP50),
    timed('P95', ({ latencyP95 }) => latencyP95),
    timed('P99', ({ latencyP99 }) => latencyP99),
    timed('MAX', ({ latencyMax }) => latencyMax),
  ]
}

const intervalColumns: readonly Column<IntervalSummary>[] = [
  { title: 'FROM', of: ({ startTime }) => timeWords(startTime).replace(/:00Z$/, 'Z') },
  ...figures<IntervalSummary>((each) => each.summary!),
]

import { create } from '@bufbuild/protobuf'
import { type Duration, DurationSchema, timestampFromMs } from '@bufbuild/protobuf/wkt'
import { Purpose } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import {
  type AttemptSummary,
  AttemptSummarySchema,
  IntervalSummarySchema,
  type SummarizeResponse,
  SummarizeResponseSchema,
} from '../../proto/gen/ferry/v1/summary_pb.ts'
import type { LogReader } from './log-reader.ts'
import type { Subject } from './subject.ts'
import type { SummaryPlan } from './summary-plan.ts'

const counts = [
  ...['attempts', 'requests', 'delivered', 'failed', 'skipped', 'superseded', 'retried', 'unanswered'],
  ...['status_1xx', 'status_2xx', 'status_3xx', 'status_4xx', 'status_5xx'],
] as const

type SummaryRow = Readonly<Record<(typeof counts)[number], number>> & {
  readonly start_s: number
  /** Quantiles 0.5, 0.95 and 0.99; null when nothing was sent. */
  readonly latencies_us: readonly (number | null)[]
  readonly max_us: number
}

const narrow = 'Narrow it: give from_time and to_time, or an interval of whole hours'

/** Adds up what the log has added up by minutes or hours. */
export async function summarize(
  log: LogReader,
  subject: Subject,
  plan: SummaryPlan,
  purposes: readonly Purpose[],
  nowMs: number,
): Promise<SummarizeResponse> {
  const { fromS, toS, intervalS } = plan
  const params = { uid: subject.uid, fromS, toS, intervalS, purposes: purposes.length > 0 ? purposes : [Purpose.DELIVER] }
  const [rows, [total]] = await Promise.all([
    log.select<SummaryRow>({ sql: `${summarySql(plan, startSql(plan))} GROUP BY start_s`, params, narrow }),
    log.select<SummaryRow>({ sql: summarySql(plan, '0'), params, narrow }),
  ])
  const byStart = new Map(rows.map((row) => [row.start_s, row]))
  const secondsOf = (startS: number, endS: number): number => Math.max(1, Math.min(endS, nowMs / 1000) - startS)
  const starts = Array.from({ length: (toS - fromS) / intervalS }, (_, index) => fromS + index * intervalS)
  return create(SummarizeResponseSchema, {
    intervals: starts.map((startS) =>
      create(IntervalSummarySchema, {
        startTime: timestampFromMs(startS * 1000),
        summary: summaryOf(byStart.get(startS), secondsOf(startS, startS + intervalS)),
      }),
    ),
    total: summaryOf(total, secondsOf(fromS, toS)),
    interval: create(DurationSchema, { seconds: BigInt(intervalS) }),
  })
}

const timeColumn = { attempt_minutes: 'minute', attempt_hours: 'hour' } as const

const startSql = ({ table }: SummaryPlan): string =>
  `intDiv(toUnixTimestamp(${timeColumn[table]}), {intervalS: UInt32}) * {intervalS: UInt32}`

function summarySql({ table }: SummaryPlan, start: string): string {
  const time = timeColumn[table]
  return `SELECT ${start} AS start_s, ${counts.map((name) => `sum(t.${name}) AS ${name}`).join(', ')},
      quantilesDDMerge(0.01, 0.5, 0.95, 0.99)(latency) AS latencies_us, max(latency_max_us) AS max_us
    FROM ${table} AS t
    WHERE uid = {uid: String} AND CAST(purpose, 'Int8') IN {purposes: Array(Int8)}
      AND ${time} >= toDateTime({fromS: UInt32}) AND ${time} < toDateTime({toS: UInt32})`
}

function summaryOf(row: SummaryRow | undefined, seconds: number): AttemptSummary {
  if (!row) return create(AttemptSummarySchema)
  const [p50, p95, p99] = row.latencies_us
  const wasSent = row.requests > 0
  const big = (name: (typeof counts)[number]): bigint => BigInt(row[name])
  return create(AttemptSummarySchema, {
    ...{ attempts: big('attempts'), requests: big('requests'), delivered: big('delivered'), failed: big('failed') },
    ...{ skipped: big('skipped'), superseded: big('superseded'), retried: big('retried'), unanswered: big('unanswered') },
    ...{ status1xx: big('status_1xx'), status2xx: big('status_2xx'), status3xx: big('status_3xx') },
    ...{ status4xx: big('status_4xx'), status5xx: big('status_5xx') },
    attemptsPerSecond: row.attempts / seconds,
    deliveredPerSecond: row.delivered / seconds,
    ...(wasSent ? { latencyP50: durationOf(p50), latencyP95: durationOf(p95), latencyP99: durationOf(p99) } : {}),
    ...(wasSent ? { latencyMax: durationOf(row.max_us) } : {}),
  })
}

function durationOf(us: number | null | undefined): Duration {
  const whole = Math.round(us ?? 0)
  return create(DurationSchema, { seconds: BigInt(Math.floor(whole / 1e6)), nanos: (whole % 1e6) * 1000 })
}

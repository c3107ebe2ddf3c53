import { durationMs } from '@bufbuild/protobuf/wkt'
import type { SummarizeRequest } from '../../proto/gen/ferry/v1/summary_pb.ts'
import { timeMs } from './offset-filter.ts'
import type { Violation } from './query-error.ts'

/** Which intervals are asked for, and which table has them. */
export interface SummaryPlan {
  /** Beginning of the first interval and end of the last, Unix s. */
  readonly fromS: number
  readonly toS: number
  readonly intervalS: number
  readonly table: 'attempt_minutes' | 'attempt_hours'
}

export const intervalsMax = 1500
const intervalsWanted = 120
const minuteS = 60
const hourS = 3600

/** What people read well. */
const stepsS = [1, 2, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 10_080, 43_200].map((minutes) => minutes * minuteS)

/** The plan, or what is wrong with the question. */
export function planSummary(request: SummarizeRequest, nowMs: number): SummaryPlan | readonly Violation[] {
  const toMs = request.toTime ? timeMs(request.toTime) : nowMs
  const fromMs = request.fromTime ? timeMs(request.fromTime) : toMs - hourS * 1000
  if (fromMs >= toMs) {
    const description = `from_time must be before to_time, or there is no time to summarize; to_time is ${isoOf(toMs)}`
    return [{ field: 'from_time', description, reason: 'TIME_ORDER' }]
  }
  const intervalS = request.interval ? durationMs(request.interval) / 1000 : stepFor(fromMs, toMs)
  if (intervalS % minuteS !== 0) {
    const description = `interval must be whole minutes, as 60s or 3600s; given ${intervalS}s`
    return [{ field: 'interval', description, reason: 'INTERVAL' }]
  }
  const fromS = Math.floor(fromMs / 1000 / intervalS) * intervalS
  const toS = Math.ceil(toMs / 1000 / intervalS) * intervalS
  const count = (toS - fromS) / intervalS
  if (count > intervalsMax) {
    const description = `interval of ${intervalS}s makes ${count} intervals of the time asked for, and at most ${intervalsMax} are answered: give interval ${stepFor(fromMs, toMs)}s, or a shorter time`
    return [{ field: 'interval', description, reason: 'INTERVAL' }]
  }
  return { fromS, toS, intervalS, table: intervalS % hourS === 0 ? 'attempt_hours' : 'attempt_minutes' }
}

const stepFor = (fromMs: number, toMs: number): number =>
  stepsS.find((step) => (toMs - fromMs) / 1000 / step <= intervalsWanted) ?? stepsS.at(-1)!

/** The plan's time may lie anywhere. */
const isoOf = (ms: number): string => new Date(ms).toISOString()

import { type Timestamp, timestampFromMs } from '@bufbuild/protobuf/wkt'
import { usageError } from './cli-error.ts'
import { durationMs } from './duration.ts'

/** `15m` is so long ago; else a date and time as in ISO 8601, UTC when it says nothing else; `now`. */
export function parseTime(text: string, what: string, nowMs: number): Timestamp {
  const agoMs = durationMs(text)
  if (agoMs !== undefined) return timestampFromMs(nowMs - agoMs)
  if (text === 'now') return timestampFromMs(nowMs)
  return timestampFromMs(parseDate(text) ?? refuse(text, what))
}

/** As parseTime, but a duration is so long from now. */
export function parseTimeAhead(text: string, what: string, nowMs: number): Timestamp {
  const aheadMs = durationMs(text)
  return timestampFromMs(aheadMs !== undefined ? nowMs + aheadMs : (parseDate(text) ?? refuse(text, what)))
}

function parseDate(text: string): number | undefined {
  const match = /^(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d(?:\.\d+)?)?)\s*(Z|[+-]\d\d:?\d\d)?)?$/.exec(text)
  if (match === null) return undefined
  const ms = Date.parse(`${match[1]}T${match[2] ?? '00:00'}${match[3] ?? 'Z'}`)
  return Number.isNaN(ms) ? undefined : ms
}

function refuse(text: string, what: string): never {
  throw usageError(`${what} ${text}: is no time`, 'write a duration as 15m, 2h or 3d, or a time as 2026-01-31T12:00Z')
}

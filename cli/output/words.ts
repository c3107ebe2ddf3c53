import { type Duration, durationMs, type Timestamp, timestampMs } from '@bufbuild/protobuf/wkt'

/** A count as people read it: 1,234,567. */
export const countWords = (count: number | bigint): string => count.toLocaleString('en-US')

/** `1.5 ms`, `12.3 s`, `4 min 5 s`, `3 h 20 min`, `2 d 3 h`. */
export function durationWords(ms: number): string {
  if (ms < 1) return `${Math.round(ms * 1000)} µs`
  if (ms < 1000) return `${ms < 10 ? Number(ms.toFixed(1)) : Math.round(ms)} ms`
  if (ms < 59_950) return `${Number((ms / 1000).toFixed(1))} s`
  const seconds = Math.round(ms / 1000)
  if (seconds < 3600) return pair(Math.floor(seconds / 60), 'min', seconds % 60, 's')
  const minutes = Math.round(seconds / 60)
  if (minutes < 1440) return pair(Math.floor(minutes / 60), 'h', minutes % 60, 'min')
  const hours = Math.round(minutes / 60)
  return pair(Math.floor(hours / 24), 'd', hours % 24, 'h')
}

const pair = (big: number, bigUnit: string, small: number, smallUnit: string): string =>
  small === 0 ? `${big} ${bigUnit}` : `${big} ${bigUnit} ${small} ${smallUnit}`

export const protoDurationWords = (duration: Duration | undefined): string =>
  duration === undefined ? '' : durationWords(durationMs(duration))

/** `2026-01-31 12:00:05Z`. */
export function timeWords(time: Timestamp | undefined): string {
  return time === undefined ? '' : `${new Date(timestampMs(time)).toISOString().slice(0, 19).replace('T', ' ')}Z`
}

/** `2026-01-31 12:00:05Z (3 min ago)`, `... (in 2 h)`. */
export function timeAndAge(time: Timestamp | undefined, nowMs: number): string {
  return time === undefined ? '' : `${timeWords(time)} (${ageWords(time, nowMs)})`
}

/** `3 min ago`, `in 2 h`, `now`; whole units only. */
export function ageWords(time: Timestamp | undefined, nowMs: number): string {
  if (time === undefined) return ''
  const ms = nowMs - timestampMs(time)
  const words = roughly(Math.abs(ms))
  return words === '' ? 'now' : ms > 0 ? `${words} ago` : `in ${words}`
}

function roughly(ms: number): string {
  const seconds = Math.floor(ms / 1000)
  if (seconds < 1) return ''
  if (seconds < 90) return `${seconds} s`
  if (seconds < 5400) return `${Math.round(seconds / 60)} min`
  if (seconds < 129_600) return `${Math.round(seconds / 3600)} h`
  return `${Math.round(seconds / 86_400)} d`
}

/** Times from `fromMs` to below `toMs`. */
export interface TimeWindow {
  readonly fromMs: number
  readonly toMs: number
}

const firstMs = 60_000
const growth = 24

/**
 * Cuts a time into windows, newest first, each 24 times as long as the one before: a minute, 24 minutes, 10 hours, 10 days, the
 * rest. The newest rows are found in the first ones, however much the log has; what is rare costs little more than one look at
 * everything. What is after `nowMs`, by the clock of a worker that is ahead, belongs to the first.
 */
export function timeWindows(time: TimeWindow, nowMs: number): TimeWindow[] {
  const windows: TimeWindow[] = []
  let toMs = time.toMs
  for (let lengthMs = firstMs; toMs > time.fromMs; lengthMs *= growth) {
    const fromMs = Math.max(time.fromMs, Math.min(toMs, nowMs) - lengthMs)
    windows.push({ fromMs, toMs })
    toMs = fromMs
  }
  return windows
}

/** How much a use case was behind at a time. */
export interface LagSample {
  readonly timeMs: number
  readonly records: number
  /** Sums of all cursors and of all ends; undefined in samples of a release of before. */
  readonly cursors?: number | undefined
  readonly ends?: number | undefined
}

/** Records a second. */
export interface LagRates {
  readonly settled: number
  readonly appended: number
}

const rateWindowMs = 65_000
/** Two samples that are closer say little about a rate. */
const rateWindowMsMin = 5000

/**
 * Milliseconds until the lag is gone at the rate of the last minute; undefined when it does not shrink, or nothing is known of the
 * last minute. The lag's own movement is the rate: what lanes settled less what Kafka got.
 */
export function etaMs(samples: readonly LagSample[], now: LagSample): number | undefined {
  if (now.records === 0) return 0
  const oldest = oldestOf(samples, now)
  if (oldest === undefined) return undefined
  const gone = oldest.records - now.records
  return gone > 0 ? Math.round((now.records * (now.timeMs - oldest.timeMs)) / gone) : undefined
}

/** How fast cursors and ends moved in the last minute; undefined when nothing is known of it. */
export function ratesOf(samples: readonly LagSample[], now: LagSample): LagRates | undefined {
  const oldest = oldestOf(samples, now)
  if (oldest?.cursors === undefined || oldest.ends === undefined) return undefined
  const seconds = (now.timeMs - oldest.timeMs) / 1000
  const perSecond = (from: number, to: number): number => Math.max(0, to - from) / seconds
  return { settled: perSecond(oldest.cursors, now.cursors ?? 0), appended: perSecond(oldest.ends, now.ends ?? 0) }
}

function oldestOf(samples: readonly LagSample[], now: LagSample): LagSample | undefined {
  const usable = samples.filter(({ timeMs }) => now.timeMs - timeMs <= rateWindowMs && now.timeMs - timeMs >= rateWindowMsMin)
  return usable.length === 0 ? undefined : usable.reduce((a, b) => (b.timeMs < a.timeMs ? b : a))
}

export const writeSample = ({ timeMs, records, cursors, ends }: LagSample): string => `${timeMs}:${records}:${cursors}:${ends}`

export function readSample(text: string): LagSample {
  const [timeMs, records, cursors, ends] = text.split(':').map(Number)
  return { timeMs: timeMs!, records: records!, cursors, ends }
}

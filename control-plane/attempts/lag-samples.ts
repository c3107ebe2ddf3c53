/** How much a use case was behind at a time. */
export interface LagSample {
  readonly timeMs: number
  readonly records: number
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
  const usable = samples.filter(({ timeMs }) => now.timeMs - timeMs <= rateWindowMs && now.timeMs - timeMs >= rateWindowMsMin)
  if (usable.length === 0) return undefined
  const oldest = usable.reduce((a, b) => (b.timeMs < a.timeMs ? b : a))
  const gone = oldest.records - now.records
  return gone > 0 ? Math.round((now.records * (now.timeMs - oldest.timeMs)) / gone) : undefined
}

export const writeSample = ({ timeMs, records }: LagSample): string => `${timeMs}:${records}`

export function readSample(text: string): LagSample {
  const [timeMs, records] = text.split(':').map(Number)
  return { timeMs: timeMs!, records: records! }
}

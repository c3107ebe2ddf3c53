/** By partition, the first record at or after a time (Unix ms); a partition that has none is left out. */
export type OffsetsAt = (timeMs: number) => Promise<ReadonlyMap<number, number>>

const longestMs = 400 * 86_400_000
const firstAgeMs = 1000
const growth = 4
const precision = 1.1

/**
 * How old the oldest record is that lies at a cursor, in ms, within a tenth; undefined when no record is to do. Kafka does not say
 * the time of an offset, but which offset a time has: the age is looked for between ages that are known to be too low and too high.
 */
export async function oldestWaitingMs(
  partitions: readonly { readonly partition: number; readonly cursor: number; readonly end: number }[],
  offsetsAt: OffsetsAt,
  nowMs: number,
): Promise<number | undefined> {
  const behind = partitions.filter(({ cursor, end }) => cursor < end)
  if (behind.length === 0) return undefined
  /** Whether any record that waits is older: the first one that is younger comes after its cursor. */
  const isOlderThan = async (ageMs: number): Promise<boolean> => {
    const offsets = await offsetsAt(nowMs - ageMs)
    return behind.some(({ partition, cursor, end }) => (offsets.get(partition) ?? end) > cursor)
  }
  let low = 0
  let high = firstAgeMs
  while (high < longestMs && (await isOlderThan(high))) {
    low = high
    high *= growth
  }
  while (high - low > Math.max(firstAgeMs / 2, low * (precision - 1))) {
    const middle = (low + high) / 2
    if (await isOlderThan(middle)) low = middle
    else high = middle
  }
  return Math.round(high)
}

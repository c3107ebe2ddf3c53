export interface Progress {
  readonly rows: number
  readonly rowsTotal: number
  readonly rowsPerSecond: number
  readonly parked: number
  /** Rows that Ferry gave up: nobody waits for them. */
  readonly failed: number
}

const barWidth = 24
/** Below this a rate says nothing about the time that is left. */
const rowsPerSecondMin = 1

export const formatCount = (count: number): string => Math.round(count).toLocaleString('en-US')

/** One line of the same width from beginning to end, so that nothing jumps. The bar is left out where it has no room. */
export function progressLine({ rows, rowsTotal, rowsPerSecond, parked, failed }: Progress, widthMax: number): string {
  const total = formatCount(rowsTotal)
  const wide = (text: string, width: number): string => text.padStart(width)
  const figures = [
    `${wide(formatCount(rows), total.length)} / ${total} rows`,
    `${wide(formatCount(rowsPerSecond), 6)} rows/s`,
    `parked ${wide(formatCount(parked), 6)}`,
    `failed ${wide(formatCount(failed), 5)}`,
    `ETA ${wide(formatEta(rowsTotal - rows - failed, rowsPerSecond), 5)}`,
  ].join('  ')
  const filled = Math.floor((rows / rowsTotal) * barWidth)
  const whole = `${'━'.repeat(filled)}${'┄'.repeat(barWidth - filled)}  ${figures}`
  return whole.length > widthMax ? figures : whole
}

function formatEta(rowsLeft: number, rowsPerSecond: number): string {
  if (rowsLeft <= 0) return '0:00'
  if (rowsPerSecond < rowsPerSecondMin) return '–'
  const seconds = Math.ceil(rowsLeft / rowsPerSecond)
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
}

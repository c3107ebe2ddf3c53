import { countWords } from './words.ts'

export interface Progress {
  readonly done: number
  readonly total: number
  /** Undefined while there is no telling. */
  readonly perSecond: number | undefined
  /** What else is worth a word: `3 failed again`. */
  readonly notes: readonly string[]
}

const barWidth = 24
/** Below this a rate says nothing about the time that is left. */
const perSecondMin = 0.01

/** One line; the bar is left out where it has no room. */
export function progressBar({ done, total, perSecond, notes }: Progress, widthMax: number | undefined): string {
  const share = total === 0 ? 1 : Math.min(1, done / total)
  const filled = Math.floor(share * barWidth)
  const figures = [
    `${countWords(done).padStart(countWords(total).length)} / ${countWords(total)}`,
    `${Math.floor(share * 100)}%`.padStart(4),
    ...(perSecond === undefined ? [] : [`${countWords(Math.round(perSecond))}/s`]),
    `ETA ${etaWords(total - done, perSecond)}`,
    ...notes,
  ].join('  ')
  const whole = `${'━'.repeat(filled)}${'┄'.repeat(barWidth - filled)}  ${figures}`
  return widthMax !== undefined && whole.length >= widthMax ? figures.slice(0, widthMax - 1) : whole
}

function etaWords(left: number, perSecond: number | undefined): string {
  if (left <= 0) return '0:00'
  if (perSecond === undefined || perSecond < perSecondMin) return '–'
  const seconds = Math.ceil(left / perSecond)
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)]
  const two = (count: number): string => String(count).padStart(2, '0')
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`
}

/** Rate over the last so many seconds. */
export class RateWindow {
  readonly #samples: { readonly ms: number; readonly count: number }[] = []
  readonly #windowMs: number

  constructor(windowMs: number) {
    this.#windowMs = windowMs
  }

  add(ms: number, count: number): void {
    this.#samples.push({ ms, count })
    while (this.#samples.length > 2 && this.#samples[1]!.ms <= ms - this.#windowMs) this.#samples.shift()
  }

  /** Undefined before there are two samples. */
  perSecond(): number | undefined {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)]
    if (first === undefined || last === undefined || last.ms <= first.ms) return undefined
    return ((last.count - first.count) * 1000) / (last.ms - first.ms)
  }
}

import type { WriteStream } from 'node:tty'

/** Gives a text a colour, or leaves it as it is. */
export type Paint = Readonly<Record<'green' | 'red' | 'dim' | 'bold', (text: string) => string>>

const codes = { green: 32, red: 31, dim: 2, bold: 1 } as const
const clearLine = '\r\x1b[2K'
const indent = '  '
/** With the time behind it a step ends where the certificate does. */
const stepWidth = 66
const plainProgressMs = 2_000
const columnsDefault = 100

const secondsOf = (ms: number): string => `${(ms / 1000).toFixed(1)} s`

/**
 * What people see. On a terminal the last line is alive: it is written over again and again, and what has happened is put
 * above it. Elsewhere it is printed as an ordinary line every two seconds.
 */
export class Screen {
  readonly paint: Paint
  readonly #stream: NodeJS.WriteStream
  readonly #isLive: boolean
  #live = ''
  #printedMs = Number.NEGATIVE_INFINITY

  constructor(stream: NodeJS.WriteStream, withColor: boolean) {
    this.#stream = stream
    this.#isLive = stream.isTTY === true
    const colored = withColor && this.#isLive
    const paintOf = (code: number) => (text: string) => (colored ? `\x1b[${code}m${text}\x1b[0m` : text)
    this.paint = { green: paintOf(codes.green), red: paintOf(codes.red), dim: paintOf(codes.dim), bold: paintOf(codes.bold) }
  }

  /** Columns that a line may have. */
  get width(): number {
    if (!this.#isLive) return columnsDefault
    const [columns] = (this.#stream as WriteStream).getWindowSize()
    return Math.max(columns - indent.length - 1, 1)
  }

  line(text = ''): void {
    this.#stream.write(`${this.#live === '' ? '' : clearLine}${text === '' ? '' : indent}${text}\n`)
    if (this.#live !== '') this.#redraw()
  }

  /** Lines to paste: without the margin. */
  verbatim(lines: readonly string[]): void {
    this.#stream.write(lines.map((line) => `${line}\n`).join(''))
  }

  /** Shows what is being done, then that it is done and how long it took. What fails leaves no mark: its error speaks. */
  async step<T>(text: string, work: () => Promise<T>): Promise<T> {
    const startedMs = performance.now()
    this.#setLive(this.paint.dim(`· ${text}`))
    try {
      const result = await work()
      const took = secondsOf(performance.now() - startedMs)
      this.#setLive('')
      this.line(`${this.paint.green('✓')} ${text.padEnd(stepWidth)}${this.paint.dim(took.padStart(8))}`)
      return result
    } finally {
      this.#setLive('')
    }
  }

  /** The last line until the next call; `nowMs` decides whether a plain output shows it. */
  progress(text: string, nowMs: number): void {
    if (this.#isLive) this.#setLive(text)
    else if (nowMs - this.#printedMs >= plainProgressMs) {
      this.#printedMs = nowMs
      this.line(text)
    }
  }

  endProgress(): void {
    this.#setLive('')
  }

  #setLive(text: string): void {
    if (!this.#isLive || this.#live === text) return
    this.#live = text
    this.#redraw()
  }

  #redraw(): void {
    this.#stream.write(this.#live === '' ? clearLine : `${clearLine}${indent}${this.#live}`)
  }
}

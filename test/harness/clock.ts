import { mkdtempSync, renameSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The wall clock of the processes that are started with its environment: it can be wrong and can be set, as real ones can. */
export class Clock {
  readonly #file = join(mkdtempSync(join(tmpdir(), 'ferry-test-clock-')), 'ahead-ms')
  readonly env: Readonly<Record<string, string>>

  constructor(aheadMs: number) {
    this.set(aheadMs)
    const preload = new URL('clock-preload.ts', import.meta.url)
    this.env = { CLOCK_AHEAD_FILE: this.#file, NODE_OPTIONS: `--import=${preload.href}` }
  }

  /** Its processes see it within 20 ms. Their monotonic clock goes on as it was. */
  set(aheadMs: number): void {
    writeFileSync(`${this.#file}.new`, String(aheadMs))
    renameSync(`${this.#file}.new`, this.#file)
  }
}

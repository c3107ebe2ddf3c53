import { readFile } from 'node:fs/promises'
import type { Logger } from './log.ts'

export interface WatchedFilesOptions<T> {
  /** In the order in which `parse` is given what they hold. */
  readonly paths: readonly string[]
  /** Throws when they are not what they should be. */
  readonly parse: (contents: readonly string[]) => T
  readonly intervalMs: number
  readonly log: Logger
  /** What they are, for the log. */
  readonly what: string
  readonly changed?: (value: T) => void
}

/**
 * What a process makes of some files, read again every intervalMs: certificates and tokens are renewed while it runs. Files that cannot
 * be read, or do not fit together, change nothing until they do: they are often replaced one after the other. Looking at what they hold,
 * not at when they changed, also sees a link that leads elsewhere.
 */
export class WatchedFiles<T> {
  readonly #options: WatchedFilesOptions<T>
  readonly #timer: NodeJS.Timeout
  #contents: readonly string[]
  #current: T
  #problem = ''

  /** `contents` and what `parse` makes of them, as they were read at the start. */
  constructor(options: WatchedFilesOptions<T>, contents: readonly string[]) {
    this.#options = options
    this.#contents = contents
    this.#current = options.parse(contents)
    this.#timer = setInterval(() => void this.look(), options.intervalMs)
    this.#timer.unref()
  }

  get current(): T {
    return this.#current
  }

  /** Reads them now. */
  async look(): Promise<void> {
    const { paths, parse, log, what, changed } = this.#options
    try {
      const contents = await Promise.all(paths.map((path) => readFile(path, 'utf8')))
      if (contents.every((each, at) => each === this.#contents[at])) return
      this.#current = parse(contents)
      this.#contents = contents
      this.#problem = ''
      log.info({ paths }, `${what}: read again`)
      changed?.(this.#current)
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      // Neither what they hold nor an error of a parser that might repeat it.
      const problem = code ?? message.split('\n', 1)[0]!
      if (problem !== this.#problem) log.warn({ paths, problem }, `${what}: cannot be used as it is now; the old ones go on`)
      this.#problem = problem
    }
  }

  stop(): void {
    clearInterval(this.#timer)
  }
}

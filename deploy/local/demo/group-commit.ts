import type { DatabaseSync } from 'node:sqlite'

interface Entry<T> {
  readonly item: T
  readonly done: () => void
}

const itemsMax = 500

/** Writes what comes within a few milliseconds in one transaction, and says so only when it is committed. */
export class GroupCommit<T> {
  readonly #database: DatabaseSync
  readonly #write: (item: T) => void
  readonly #delayMs: number
  #waiting: Entry<T>[] = []
  #timer: NodeJS.Timeout | undefined

  constructor(database: DatabaseSync, write: (item: T) => void, delayMs: number) {
    this.#database = database
    this.#write = write
    this.#delayMs = delayMs
  }

  add(item: T, done: () => void): void {
    this.#waiting.push({ item, done })
    if (this.#waiting.length >= itemsMax) this.#commit()
    else this.#timer ??= setTimeout(() => this.#commit(), this.#delayMs)
  }

  /** Forgets what is not committed yet: nobody is told that it was. */
  drop(): void {
    this.#take()
  }

  #commit(): void {
    const entries = this.#take()
    if (entries.length === 0) return
    this.#database.exec('BEGIN')
    for (const { item } of entries) this.#write(item)
    this.#database.exec('COMMIT')
    for (const { done } of entries) done()
  }

  #take(): Entry<T>[] {
    clearTimeout(this.#timer)
    this.#timer = undefined
    const entries = this.#waiting
    this.#waiting = []
    return entries
  }
}

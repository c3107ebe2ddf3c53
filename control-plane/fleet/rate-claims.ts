/** Lists kept apart; of more the oldest count as one. */
const LISTS_MAX = 8

interface ToldShares {
  readonly version: number
  /** By the use case's uid, or the name of its endpoint group. */
  readonly ppm: ReadonlyMap<string, number>
}

/**
 * Which shares of rate limits a worker may be sending by: those of its lists since the one that it says it works by. Until it has
 * said that it works by a smaller share, nobody else may have the difference.
 */
export class RateClaims {
  #lists: ToldShares[] = []

  /** A new list was written for the worker. */
  told(version: number, ppm: ReadonlyMap<string, number>): void {
    if (ppm.size === 0) return
    this.#lists.push({ version, ppm })
    if (this.#lists.length <= LISTS_MAX) return
    const [first, second, ...rest] = this.#lists
    const merged = new Map(first!.ppm)
    for (const [uid, each] of second!.ppm) merged.set(uid, Math.max(each, merged.get(uid) ?? 0))
    this.#lists = [{ version: second!.version, ppm: merged }, ...rest]
  }

  /** The worker works by the list of this version, 0 for none: earlier ones are over. Answers whether there were any. */
  applied(version: number): boolean {
    const before = this.#lists.length
    this.#lists = this.#lists.filter((each) => each.version >= version)
    return this.#lists.length < before
  }

  of(key: string): number {
    return this.#lists.reduce((most, { ppm }) => Math.max(most, ppm.get(key) ?? 0), 0)
  }
}

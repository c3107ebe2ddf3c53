/** Long Island MacArthur: one flight in 500 leaves from here. */
const airportNotKnown = 'ISP'
const busyShare = 100

/** Why the new service does not take a row now. */
export interface Refusal {
  readonly status: 400 | 422 | 503
  readonly text: string
}

/**
 * What is wrong with the new service, the same in every run: its list of airports lacks one, which makes it refuse rows until
 * it is fixed, and it is too busy for the first request of one row in a hundred.
 */
export class Refusals {
  readonly #askedBefore = new Set<number>()
  #isFixed = false

  fix(): void {
    this.#isFixed = true
  }

  /** Undefined: the row is taken. */
  check(id: number, origin: string): Refusal | undefined {
    if (origin === airportNotKnown && !this.#isFixed) return { status: 422, text: `unknown airport ${origin}` }
    if (scatter(id) % busyShare !== 0 || this.#askedBefore.has(id)) return undefined
    this.#askedBefore.add(id)
    return { status: 503, text: 'busy, please try again' }
  }
}

/** The finalizer of MurmurHash3: ids one after the other come out all over the 32 bits. */
function scatter(id: number): number {
  let hash = id
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) >>> 0
}

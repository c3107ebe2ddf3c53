import { AdaptiveLimit } from './adaptive-limit.ts'
import { type Landed, tellLimit } from './tell-limit.ts'

/** Requests between two looks at who sends most. */
const LOOK_EVERY = 64
/** Whoever sends so many times as many as who is measured is measured from then on. */
const MORE = 2

/**
 * One adaptive limit for several senders, over the requests of all. What one asks of the endpoint may take it a hundred times as long
 * as what another asks, so latencies are compared with those of the same sender: of whoever sends most, at any time.
 */
export class SharedLimit<Sender> {
  #max: number
  readonly #limits = new Map<Sender, AdaptiveLimit>()
  readonly #counts = new Map<Sender, number>()
  #count = 0
  #measured: Sender | undefined
  #measure: AdaptiveLimit

  constructor(max: number) {
    this.#max = max
    this.#measure = new AdaptiveLimit(max)
  }

  get limit(): number {
    return this.#measure.limit
  }

  set max(max: number) {
    this.#max = max
    this.#measure.max = max
    for (const each of this.#limits.values()) each.max = max
  }

  /** A request starts; `inFlight` of all senders, with it. */
  started(sender: Sender, inFlight: number, now: number): void {
    if (this.#measured === undefined) this.#turnTo(sender, now)
    this.#counts.set(sender, (this.#counts.get(sender) ?? 0) + 1)
    if (++this.#count === LOOK_EVERY) this.#look(now)
    if (sender === this.#measured) this.#measure.started(inFlight, now)
  }

  /** It has ended; answers whether more may be on the way than before. */
  answered(sender: Sender, flight: Landed, isBlocked: boolean, wallMs: number): boolean {
    return sender === this.#measured && tellLimit(this.#measure, flight, isBlocked, wallMs)
  }

  /** Its latencies say nothing any more. The limit stays what it is. */
  forget(sender: Sender): void {
    this.#limits.delete(sender)
    this.#counts.delete(sender)
    if (sender === this.#measured) this.#measured = undefined
  }

  #look(now: number): void {
    let most: Sender | undefined
    for (const [sender, count] of this.#counts) if (count > (this.#counts.get(most as Sender) ?? 0)) most = sender
    const isMore = (this.#counts.get(most as Sender) ?? 0) > MORE * (this.#counts.get(this.#measured as Sender) ?? 0)
    if (most !== undefined && most !== this.#measured && isMore) this.#turnTo(most, now)
    this.#counts.clear()
    this.#count = 0
  }

  /** From now on it is measured, and begins with the limit that there is. */
  #turnTo(sender: Sender, now: number): void {
    const { limit } = this.#measure
    const known = this.#limits.get(sender) ?? new AdaptiveLimit(this.#max)
    this.#limits.set(sender, known)
    known.goOn(limit, now)
    this.#measure = known
    this.#measured = sender
  }
}

import TinyQueue from 'tinyqueue'
import type { ParkedState } from '../../runtime/lane-keys.ts'
import type { Parked } from './parked.ts'

/**
 * What waits in one lane. Of each key only the first entry is ever due; the others are BEHIND it (state B).
 *
 *   an entry is | until
 *   unsettled   | the row of its first attempt is durable (settle)
 *   due         | its time has come, and takeDue gives it away
 *   sending     | change or defer gives it back, or it has ended
 *   ended       | its rows are durable (remove)
 *   removed     | a checkpoint has told Redis, if Redis had it (forgotten)
 */
export class Parking {
  readonly #entries = new Map<number, Parked>()
  /** By key hash, in the order of offsets; but what is sending stays in front. */
  readonly #queues = new Map<number, Parked[]>()
  readonly #due = new TinyQueue<{ atMs: number; entry: Parked }>([], (a, b) => a.atMs - b.atMs || a.entry.offset - b.entry.offset)
  /** Entries that Redis does not have, or has as they were. */
  readonly dirty = new Set<Parked>()
  /** Packed bytes of entries that are to be kept in Redis. */
  redisBytes = 0
  /** Packed bytes that only this process has. */
  unstoredBytes = 0
  /** Of these, bytes that a checkpoint may take: of what is settled. */
  storableBytes = 0
  /** Entries that are out of retries and wait for a success to pay for giving up. */
  exhausted = 0
  /** Entries that wait for an operator. */
  blocked = 0
  /** Entries that are given up, and go to the dead-letter topic. */
  readonly givenUp = new Set<Parked>()
  /** Offsets that Redis has and must forget. */
  readonly removals = new Set<number>()

  get size(): number {
    return this.#entries.size
  }

  get(offset: number): Parked | undefined {
    return this.#entries.get(offset)
  }

  entries(): Iterable<Parked> {
    return this.#entries.values()
  }

  /** Whether something of this key waits: a later record of it must wait behind. */
  hasKey(keyHash: number): boolean {
    return this.#queues.has(keyHash)
  }

  /** Whether an entry of this offset would be the first of its key. */
  wouldBeFirst(keyHash: number, offset: number): boolean {
    const first = this.#queues.get(keyHash)?.[0]
    return first === undefined || (first.offset > offset && !first.sending)
  }

  /** Whether a later record of the entry's key waits behind it. */
  hasLater({ keyHash, offset }: Parked): boolean {
    const queue = keyHash === undefined ? undefined : this.#queues.get(keyHash)
    return queue !== undefined && queue.at(-1)!.offset > offset
  }

  /** Those of a key that wait and are not on their way, by offset. */
  waitingOf(keyHash: number): readonly Parked[] {
    return (this.#queues.get(keyHash) ?? []).filter(({ sending, ended }) => !sending && !ended)
  }

  /** For people. */
  describeBlocked(): string {
    let first = Number.POSITIVE_INFINITY
    for (const { state, ended, offset } of this.#entries.values()) if (state === 'H' && !ended) first = Math.min(first, offset)
    return `${this.blocked} blocked, the first at offset ${first}: RetryDeliveries or SkipDeliveries`
  }

  /** Takes the entry in; behind the earlier ones of its key, before the later ones. The first of a key is never BEHIND. */
  add(entry: Parked): void {
    this.#entries.set(entry.offset, entry)
    if (this.removals.delete(entry.offset)) entry.shadows = true
    if (!entry.stored) this.dirty.add(entry)
    if (entry.where === 'R') {
      this.redisBytes += entry.bytes
      if (!entry.stored) this.#unstored(entry, 1)
    }
    this.#enter(entry, entry.state)
    if (entry.keyHash !== undefined) this.#enqueue(entry, entry.keyHash)
    else if (entry.state === 'B') entry.state = 'P'
    this.#schedule(entry)
  }

  #enqueue(entry: Parked, keyHash: number): void {
    const queue = this.#queues.get(keyHash) ?? []
    if (queue.length === 0) this.#queues.set(keyHash, queue)
    let at = queue.length
    while (at > 0 && queue[at - 1]!.offset > entry.offset && !queue[at - 1]!.sending) at--
    queue.splice(at, 0, entry)
    if (at > 0) this.#setState(entry, 'B')
    else {
      if (entry.state === 'B') this.#setState(entry, 'P')
      const next = queue[1]
      if (next !== undefined && next.state !== 'B') this.change(next, 'B', next.dueMs)
    }
  }

  /** Gives the entry a new state and time; the next checkpoint stores it. */
  change(entry: Parked, wanted: ParkedState, dueMs: number): void {
    // One that shared a request with an earlier one of its key, and waits again as that does.
    const isFirst = entry.keyHash === undefined || this.#queues.get(entry.keyHash)?.[0] === entry
    this.#setState(entry, isFirst ? wanted : 'B')
    entry.dueMs = dueMs
    entry.sending = false
    entry.generation++
    this.dirty.add(entry)
    this.#schedule(entry)
  }

  /** The key of one that was taken has become known: it waits again, in its place. */
  takeKey(entry: Parked, keyHash: number, nowMs: number): void {
    entry.keyHash = keyHash
    entry.sending = false
    this.#enqueue(entry, keyHash)
    this.change(entry, 'P', nowMs)
  }

  /** Gives back what was taken, for later, without a change worth storing. */
  defer(entry: Parked, dueMs: number): void {
    entry.dueMs = dueMs
    entry.sending = false
    this.#schedule(entry)
  }

  /** The rows of its attempts so far are durable: from now on it may be stored, and tried again. */
  settle(entry: Parked): void {
    if (entry.settled) return
    entry.settled = true
    if (!entry.stored && entry.where === 'R' && this.#entries.get(entry.offset) === entry) this.storableBytes += entry.bytes
    this.#schedule(entry)
  }

  #unstored(entry: Parked, sign: 1 | -1): void {
    this.unstoredBytes += sign * entry.bytes
    if (entry.settled) this.storableBytes += sign * entry.bytes
  }

  #setState(entry: Parked, state: ParkedState): void {
    this.#leave(entry)
    this.#enter(entry, state)
  }

  #enter(entry: Parked, state: ParkedState): void {
    entry.state = state
    if (state === 'X') this.exhausted++
    else if (state === 'H') this.blocked++
    else if (state === 'D') this.givenUp.add(entry)
  }

  #leave(entry: Parked): void {
    if (entry.state === 'X') this.exhausted--
    else if (entry.state === 'H') this.blocked--
    else if (entry.state === 'D') this.givenUp.delete(entry)
  }

  #schedule(entry: Parked): void {
    if (isWaiting(entry)) this.#due.push({ atMs: entry.dueMs, entry })
  }

  /** Redis has the entry as it was at that generation. */
  storedAs(entry: Parked, generation: number): void {
    const here = this.#entries.get(entry.offset)
    if (here === entry && !entry.stored && entry.where === 'R') this.#unstored(entry, -1)
    entry.stored = true
    if (entry.generation === generation) this.dirty.delete(entry)
    if (entry.where === 'R' && !entry.sending) entry.packed = undefined
    // Ended and durable while the checkpoint was on its way.
    if (here === undefined) this.removals.add(entry.offset)
    else if (here !== entry) here.shadows = true
  }

  /** When the next entry is due, Unix ms; Infinity when none is. */
  nextDueMs(): number {
    for (let top = this.#due.peek(); top !== undefined; top = this.#due.peek()) {
      const { entry } = top
      if (isWaiting(entry) && entry.dueMs === top.atMs && this.#entries.get(entry.offset) === entry) return top.atMs
      this.#due.pop()
    }
    return Number.POSITIVE_INFINITY
  }

  /** Takes the next entry that is due by nowMs. The caller sends it, or gives it back by change() or defer(). */
  takeDue(nowMs: number): Parked | undefined {
    if (this.nextDueMs() > nowMs) return undefined
    const { entry } = this.#due.pop()!
    entry.sending = true
    return entry
  }

  /** Takes what may go together with the first of its key, which was taken, in their order: those right behind it that `mayGo`, at most so many. */
  takeFollowers(first: Parked, count: number, mayGo: (entry: Parked) => boolean): Parked[] {
    const taken: Parked[] = []
    for (const entry of this.#queues.get(first.keyHash!)!.slice(1, count + 1)) {
      if (entry.state !== 'B' || entry.sending || !entry.settled || entry.ended || !mayGo(entry)) break
      entry.sending = true
      taken.push(entry)
    }
    return taken
  }

  /** The entry has an outcome: the next of its key is due at nowMs. */
  end(entry: Parked, nowMs: number): void {
    this.#leave(entry)
    entry.ended = true
    entry.generation++
    if (entry.stored) entry.packed = undefined
    if (entry.keyHash === undefined) return
    const queue = this.#queues.get(entry.keyHash)
    const at = queue?.indexOf(entry) ?? -1
    if (queue === undefined || at < 0) return
    queue.splice(at, 1)
    const next = queue[0]
    if (next === undefined) this.#queues.delete(entry.keyHash)
    else if (at === 0 && next.state === 'B') this.change(next, 'P', nowMs)
  }

  /** Ended and durable: it is no longer here, and Redis must forget it if it has it. */
  remove(entry: Parked): void {
    if (this.#entries.get(entry.offset) !== entry) return
    this.#entries.delete(entry.offset)
    this.dirty.delete(entry)
    entry.packed = undefined
    if (entry.where === 'R') {
      this.redisBytes -= entry.bytes
      if (!entry.stored) this.#unstored(entry, -1)
    }
    if (entry.stored || entry.shadows) this.removals.add(entry.offset)
  }

  /** Redis has forgotten the offset. */
  forgotten(offset: number): void {
    this.removals.delete(offset)
    const here = this.#entries.get(offset)
    if (here !== undefined) here.shadows = false
  }
}

const isWaiting = (entry: Parked): boolean => entry.settled && !entry.ended && !entry.sending && comesDue(entry.state)

/** The others wait for an earlier one of their key, an operator, or the dead-letter topic. */
const comesDue = (state: ParkedState): boolean => state === 'P' || state === 'X'

import TinyQueue from 'tinyqueue'
import type { ParkedEntry, ParkedState } from '../../runtime/lane-keys.ts'

/** A delivery that waits for its next attempt, or behind an earlier one of its key. */
export interface Parked extends ParkedEntry {
  readonly offset: number
  state: ParkedState
  attempts: number
  unpaid: number
  firstMs: number
  lastMs: number
  dueMs: number
  round: number
  bytes: number
  where: 'R' | 'K'
  batch: string | undefined
  stale: boolean
  /** The record's packed bytes while they are in memory. */
  packed: Buffer | undefined
  /** Slot of the window, until the record is settled; -1 then, and for what was not read by this lane. */
  slot: number
  /** Rows of it that are not durable yet. */
  unacknowledged: number
  /** Redis has the entry. */
  stored: boolean
  /** Grows with every change; a checkpoint stores what it saw. */
  generation: number
  /** The generation that Redis has. */
  storedGeneration: number
  /** Taken from here: on its way, or its bytes are being read for that. */
  sending: boolean
  /** Has an outcome; only its rows are not durable yet, or Redis does not know yet. */
  ended: boolean
}

export type NewParked = Pick<
  Parked,
  'offset' | 'state' | 'keyHash' | 'attempts' | 'unpaid' | 'firstMs' | 'lastMs' | 'dueMs' | 'round'
> &
  Partial<Pick<Parked, 'bytes' | 'where' | 'batch' | 'stale' | 'packed' | 'slot' | 'stored'>>

export function newParked(of: NewParked): Parked {
  return {
    bytes: 0,
    where: 'K',
    batch: undefined,
    stale: false,
    packed: undefined,
    slot: -1,
    stored: false,
    ...of,
    unacknowledged: 0,
    generation: 1,
    storedGeneration: of.stored ? 1 : 0,
    sending: false,
    ended: false,
  }
}

/**
 * What waits in one lane. Of each key only the first entry is ever due; the others are BEHIND it (state B).
 * Entries leave when they have ended AND their rows are durable AND a checkpoint has told Redis.
 */
export class Parking {
  readonly #entries = new Map<number, Parked>()
  readonly #queues = new Map<number, Parked[]>()
  readonly #due = new TinyQueue<{ atMs: number; entry: Parked }>([], (a, b) => a.atMs - b.atMs)
  /** Entries that Redis does not have, or has as they were. */
  readonly dirty = new Set<Parked>()
  /** Packed bytes of entries that are to be kept in Redis. */
  redisBytes = 0
  /** Packed bytes that only this process has. */
  unstoredBytes = 0
  /** Offsets of ended entries that Redis still has. */
  readonly #removals = new Map<number, Parked>()

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

  /** Takes the entry in; behind the earlier ones of its key, before the later ones. */
  add(entry: Parked): void {
    this.#entries.set(entry.offset, entry)
    this.#removals.delete(entry.offset)
    if (!entry.stored) this.dirty.add(entry)
    if (entry.where === 'R') {
      this.redisBytes += entry.bytes
      if (!entry.stored) this.unstoredBytes += entry.bytes
    }
    if (entry.keyHash !== undefined) {
      const queue = this.#queues.get(entry.keyHash)
      if (queue === undefined) this.#queues.set(entry.keyHash, [entry])
      else {
        let at = queue.length
        while (at > 0 && queue[at - 1]!.offset > entry.offset && !queue[at - 1]!.sending) at--
        queue.splice(at, 0, entry)
        if (at > 0) entry.state = 'B'
        else if (queue[1]!.state !== 'B') this.change(queue[1]!, 'B', queue[1]!.dueMs)
      }
    }
    if (entry.state !== 'B') this.#due.push({ atMs: entry.dueMs, entry })
  }

  /** Gives the entry a new state and time; the next checkpoint stores it. */
  change(entry: Parked, state: ParkedState, dueMs: number): void {
    entry.state = state
    entry.dueMs = dueMs
    entry.sending = false
    entry.generation++
    this.dirty.add(entry)
    if (state !== 'B' && !entry.ended) this.#due.push({ atMs: dueMs, entry })
  }

  /** Gives back what was taken, for later, without a change worth storing. */
  defer(entry: Parked, dueMs: number): void {
    entry.dueMs = dueMs
    entry.sending = false
    this.#due.push({ atMs: dueMs, entry })
  }

  /** Redis has the entry as it was at that generation. */
  storedAs(entry: Parked, generation: number): void {
    const here = this.#entries.get(entry.offset)
    if (here === entry && !entry.stored && entry.where === 'R') this.unstoredBytes -= entry.bytes
    entry.stored = true
    entry.storedGeneration = generation
    if (entry.generation === generation) this.dirty.delete(entry)
    if (here === undefined) this.#removals.set(entry.offset, entry)
  }

  /** When the next entry is due, Unix ms; Infinity when none is. */
  nextDueMs(): number {
    for (let top = this.#due.peek(); top !== undefined; top = this.#due.peek()) {
      if (this.#current(top)) return top.atMs
      this.#due.pop()
    }
    return Number.POSITIVE_INFINITY
  }

  /** Takes the next entry that is due by nowMs. The caller sends it, or gives it back by change(). */
  takeDue(nowMs: number): Parked | undefined {
    if (this.nextDueMs() > nowMs) return undefined
    const { entry } = this.#due.pop()!
    entry.sending = true
    return entry
  }

  /** The entry has an outcome: the next of its key is due at nowMs. */
  end(entry: Parked, nowMs: number): void {
    entry.ended = true
    entry.generation++
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
    if (entry.where === 'R') {
      this.redisBytes -= entry.bytes
      if (!entry.stored) this.unstoredBytes -= entry.bytes
    }
    if (entry.stored) this.#removals.set(entry.offset, entry)
  }

  /** Offsets that Redis must forget. */
  removals(): IterableIterator<number> {
    return this.#removals.keys()
  }

  get removalCount(): number {
    return this.#removals.size
  }

  /** Redis has forgotten the offset. */
  forgotten(offset: number): void {
    this.#removals.delete(offset)
  }

  #current(top: { atMs: number; entry: Parked }): boolean {
    const { entry } = top
    return (
      !entry.ended &&
      !entry.sending &&
      entry.state !== 'B' &&
      entry.dueMs === top.atMs &&
      this.#entries.get(entry.offset) === entry
    )
  }
}

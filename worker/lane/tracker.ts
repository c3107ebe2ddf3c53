import type { Run } from '../../runtime/lane-keys.ts'
import { COLUMN_LENGTH_MIN, grown } from './column.ts'

// A lane's records between the cursor and the head, as a ring of columns indexed by slot: no object per record.
// The ring counts records, not offsets, so holes in the offsets cost nothing. Its columns are as long as the highest slot that was
// needed, and whenever it is empty it begins at slot 0 again: an idle lane costs next to nothing.
//
//   state     | means                                              | next
//   OPEN      | admitted; not answered, or its row is not durable  | ENDED, PARKED
//   ENDED     | settled: has an outcome, all its rows are durable  | (PARKED never)
//   PARKED    | settled: waits in parking, all its rows are durable | ENDED, when its delivery ends while it is still here
//
// The cursor moves over settled slots only, so whatever it has passed is in the log or parked.

const OPEN = 1
const ENDED = 2
const PARKED = 3

export class Tracker {
  /** Every record below is settled. */
  cursor: number
  /** The offset after the last admitted record. */
  next: number
  #offset = new Float64Array(COLUMN_LENGTH_MIN)
  #state = new Uint8Array(COLUMN_LENGTH_MIN)
  readonly #mask: number
  /** Counts of records: next to come in, next to be settled. */
  #head = 0
  #tail = 0

  /** window: how many records may be between cursor and head; a power of two. */
  constructor(cursor: number, window: number) {
    if (window < 2 || (window & (window - 1)) !== 0) throw new RangeError(`window must be a power of two, not ${window}`)
    this.cursor = cursor
    this.next = cursor
    this.#mask = window - 1
  }

  get full(): boolean {
    return this.#head - this.#tail > this.#mask
  }

  /** Records that can still come in. */
  get room(): number {
    return this.#mask + 1 - this.size
  }

  /** Records between cursor and head. */
  get size(): number {
    return this.#head - this.#tail
  }

  /** Takes the next record in; its slot is valid until the cursor has passed it. Offsets must rise. */
  admit(offset: number): number {
    if (this.#head === this.#tail) this.#head = this.#tail = 0
    const slot = this.#head++ & this.#mask
    if (slot >= this.#offset.length) this.#grow()
    this.#offset[slot] = offset
    this.#state[slot] = OPEN
    this.next = offset + 1
    return slot
  }

  #grow(): void {
    this.#offset = grown(this.#offset)
    this.#state = grown(this.#state)
  }

  offsetOf(slot: number): number {
    return this.#offset[slot]!
  }

  end(slot: number): void {
    this.#state[slot] = ENDED
    if (slot === (this.#tail & this.#mask)) this.#advance()
  }

  park(slot: number): void {
    this.#state[slot] = PARKED
    if (slot === (this.#tail & this.#mask)) this.#advance()
  }

  /** Whether the slot is still this offset's: a parked delivery may end after the cursor has passed it. */
  holds(slot: number, offset: number): boolean {
    return this.#offset[slot] === offset && offset >= this.cursor && this.#head !== this.#tail
  }

  /** Slot of the record that the cursor waits for; -1 when it waits for none. */
  get tailSlot(): number {
    return this.#head === this.#tail ? -1 : this.#tail & this.#mask
  }

  #advance(): void {
    const mask = this.#mask
    let tail = this.#tail
    while (tail < this.#head && this.#state[tail & mask]! !== OPEN) tail++
    this.#tail = tail
    this.cursor = this.#offset[(tail - 1) & mask]! + 1
  }

  /**
   * Ended offsets at or above the cursor, as runs. `counts` may refuse one: in KEY order an end counts only when every
   * earlier record of its key has ended. It is asked for every slot in order, with whether it has ended.
   */
  endedRuns(counts?: (slot: number, ended: boolean) => boolean): Run[] {
    const runs: Run[] = []
    const mask = this.#mask
    let first = -1
    let last = -1
    for (let at = this.#tail; at < this.#head; at++) {
      const slot = at & mask
      const ended = this.#state[slot] === ENDED
      if ((counts === undefined || counts(slot, ended)) && ended) {
        if (first < 0) first = this.#offset[slot]!
        last = this.#offset[slot]!
      } else if (first >= 0) {
        runs.push({ first, last })
        first = -1
      }
    }
    if (first >= 0) runs.push({ first, last })
    return runs
  }
}

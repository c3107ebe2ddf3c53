import type { KafkaRecord } from '../source/kafka-record.ts'
import type { FetchedBytes } from '../source/partition.ts'
import { COLUMN_LENGTH_MIN, grown } from './column.ts'
import { KeyOrder } from './key-order.ts'
import { Tracker } from './tracker.ts'

/** The records between a lane's cursor and head: which are settled (tracker), which must wait (order), which may go now (ready). */
export class Window {
  readonly tracker: Tracker
  /** Undefined in an unordered lane. */
  readonly order: KeyOrder | undefined
  readonly #records: (KafkaRecord | undefined)[] = []
  readonly #fetched: (FetchedBytes | undefined)[] = []
  #ready = new Int32Array(COLUMN_LENGTH_MIN)
  readonly #mask: number
  #readyHead = 0
  #readyTail = 0
  /** Bytes that records which are not answered yet keep in memory: each is a slice of all that its fetch brought. */
  heldBytes = 0

  constructor(cursor: number, records: number, keyed: boolean) {
    this.tracker = new Tracker(cursor, records)
    this.order = keyed ? new KeyOrder(records) : undefined
    this.#mask = records - 1
  }

  /** Takes in what needs no request; the caller settles it. */
  admitSilent(offset: number): number {
    const slot = this.tracker.admit(offset)
    this.order?.bypass(slot)
    return slot
  }

  /** Takes in a record to send, behind earlier ones of its key. keyHash below 0: no key, no order. */
  admit(record: KafkaRecord, fetched: FetchedBytes, offset: number, keyHash: number): void {
    const slot = this.#hold(record, fetched, offset)
    if (this.order === undefined) this.makeReady(slot)
    else if (keyHash < 0) {
      this.order.bypass(slot)
      this.makeReady(slot)
    } else if (this.order.enter(slot, keyHash)) this.makeReady(slot)
  }

  /** Takes in a record that is sent together with the one before, which its key waits for: who waits for that one waits for both. */
  admitBeside(record: KafkaRecord, fetched: FetchedBytes, offset: number, keyHash: number): void {
    const slot = this.#hold(record, fetched, offset)
    this.order!.remember(slot, keyHash)
    this.makeReady(slot)
  }

  #hold(record: KafkaRecord, fetched: FetchedBytes, offset: number): number {
    const slot = this.tracker.admit(offset)
    // One after the other, so that it stays an array without holes.
    while (this.#records.length <= slot) {
      this.#records.push(undefined)
      this.#fetched.push(undefined)
    }
    this.#records[slot] = record
    this.#fetched[slot] = fetched
    if (fetched.held++ === 0) this.heldBytes += fetched.bytes
    return slot
  }

  makeReady(slot: number): void {
    if (this.#readyHead === this.#readyTail) this.#readyHead = this.#readyTail = 0
    const at = this.#readyHead++ & this.#mask
    if (at >= this.#ready.length) this.#ready = grown(this.#ready)
    this.#ready[at] = slot
  }

  /** Gives back what takeReady has given last: it is the next again. */
  putBack(slot: number): void {
    if (this.#readyTail === 0) this.#makeRoomBefore()
    this.#ready[--this.#readyTail & this.#mask] = slot
  }

  /** Others became ready when it was the only one: they begin at the front. */
  #makeRoomBefore(): void {
    if (this.#readyHead === this.#ready.length) this.#ready = grown(this.#ready)
    this.#ready.copyWithin(1, 0, this.#readyHead)
    this.#readyHead++
    this.#readyTail++
  }

  /** What admitBeside took in is not sent together with the one before after all: it waits for it. */
  putBehind(slot: number): void {
    if (this.order!.enter(slot, this.order!.hashOf(slot))) this.makeReady(slot)
  }

  /** Slots that may be sent. */
  get ready(): number {
    return this.#readyHead - this.#readyTail
  }

  /** The next slot that may be sent, or -1. */
  takeReady(): number {
    return this.#readyTail === this.#readyHead ? -1 : this.#ready[this.#readyTail++ & this.#mask]!
  }

  /** The first record that is still held here: neither answered nor parked. */
  get oldest(): KafkaRecord | undefined {
    const { tailSlot, size } = this.tracker
    for (let at = 0; at < size; at++) {
      const record = this.#records[(tailSlot + at) & this.#mask]
      if (record !== undefined) return record
    }
    return undefined
  }

  recordOf(slot: number): KafkaRecord {
    return this.#records[slot]!
  }

  /** The record is answered or packed: its bytes are no longer needed here. */
  forget(slot: number): void {
    const fetched = this.#fetched[slot]
    if (fetched === undefined) return
    if (--fetched.held === 0) this.heldBytes -= fetched.bytes
    this.#records[slot] = undefined
    this.#fetched[slot] = undefined
  }
}

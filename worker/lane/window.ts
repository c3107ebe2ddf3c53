import type { KafkaRecord } from '../source/kafka-record.ts'
import { KeyOrder } from './key-order.ts'
import { Tracker } from './tracker.ts'

/** The records between a lane's cursor and head: which are settled (tracker), which must wait (order), which may go now (ready). */
export class Window {
  readonly tracker: Tracker
  /** Undefined in an unordered lane. */
  readonly order: KeyOrder | undefined
  readonly #records: (KafkaRecord | undefined)[]
  readonly #ready: Int32Array
  readonly #mask: number
  #readyHead = 0
  #readyTail = 0
  /** Bytes of values that are not answered yet. */
  heldBytes = 0

  constructor(cursor: number, records: number, keyed: boolean) {
    this.tracker = new Tracker(cursor, records)
    this.order = keyed ? new KeyOrder(records) : undefined
    this.#records = new Array<KafkaRecord | undefined>(records).fill(undefined)
    this.#ready = new Int32Array(records)
    this.#mask = records - 1
  }

  /** Takes in what needs no request; the caller settles it. */
  admitSilent(offset: number): number {
    const slot = this.tracker.admit(offset)
    this.order?.bypass(slot)
    return slot
  }

  /** Takes in a record to send, behind earlier ones of its key. keyHash below 0: no key, no order. */
  admit(record: KafkaRecord, offset: number, keyHash: number): void {
    const slot = this.tracker.admit(offset)
    this.#records[slot] = record
    this.heldBytes += record.value?.length ?? 0
    if (this.order === undefined) this.makeReady(slot)
    else if (keyHash < 0) {
      this.order.bypass(slot)
      this.makeReady(slot)
    } else if (this.order.enter(slot, keyHash)) this.makeReady(slot)
  }

  makeReady(slot: number): void {
    this.#ready[this.#readyHead++ & this.#mask] = slot
  }

  /** The next slot that may be sent, or -1. */
  takeReady(): number {
    return this.#readyTail === this.#readyHead ? -1 : this.#ready[this.#readyTail++ & this.#mask]!
  }

  recordOf(slot: number): KafkaRecord {
    return this.#records[slot]!
  }

  /** The record is answered or packed: its bytes are no longer needed here. */
  forget(slot: number): void {
    this.heldBytes -= this.#records[slot]?.value?.length ?? 0
    this.#records[slot] = undefined
  }
}

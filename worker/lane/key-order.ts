import { COLUMN_LENGTH_MIN, grown } from './column.ts'

/**
 * 53-bit hash of a record's key: two FNV-1a hashes, of 32 and 21 bits. Keys that meet in one hash only delay each other.
 * Never 0, which stands for no key.
 */
export function hashKey(key: Uint8Array): number {
  let low = 0x811c9dc5
  let high = 0x01000193
  for (let i = 0; i < key.length; i++) {
    low = Math.imul(low ^ key[i]!, 0x01000193)
    high = Math.imul(high ^ key[i]!, 0x85ebca6b)
  }
  return ((high ^ (high >>> 15)) & 0x1fffff) * 0x100000000 + ((low ^ (low >>> 15)) >>> 0) || 1
}

/** In PARTITION order all records have one key, this one. */
export const PARTITION_KEY = 1

const none = new Int32Array(0)

/**
 * Which records of the window must wait for an earlier one of their key. Chains in hash buckets: a bucket holds the first and
 * the last slot of its chain, a slot its follower. The first may go or is on its way; the others wait. No map and no object per
 * record; two keys in one bucket only delay each other. A lane that has seen no key has no buckets.
 */
export class KeyOrder {
  readonly #bucketMask: number
  /** Of each bucket the first slot and the last, both plus one: 0 is none. */
  #ends = none
  #bucketOf = new Int32Array(COLUMN_LENGTH_MIN)
  #follower = new Int32Array(COLUMN_LENGTH_MIN)
  #hash = new Float64Array(COLUMN_LENGTH_MIN)

  /** window: slots of the lane's tracker, a power of two. */
  constructor(window: number) {
    this.#bucketMask = window * 2 - 1
  }

  /** Appends the slot to its chain; answers whether it may go at once. */
  enter(slot: number, keyHash: number): boolean {
    if (this.#ends === none) this.#ends = new Int32Array((this.#bucketMask + 1) * 2)
    while (slot >= this.#hash.length) this.#grow()
    const ends = this.#ends
    const bucket = (keyHash & this.#bucketMask) >>> 0
    const last = ends[bucket * 2 + 1]! - 1
    ends[bucket * 2 + 1] = slot + 1
    this.#bucketOf[slot] = bucket
    this.#follower[slot] = -1
    this.#hash[slot] = keyHash
    if (last < 0) {
      ends[bucket * 2] = slot + 1
      return true
    }
    this.#follower[last] = slot
    return false
  }

  #grow(): void {
    this.#bucketOf = grown(this.#bucketOf)
    this.#follower = grown(this.#follower)
    this.#hash = grown(this.#hash)
  }

  /** The slot has no key, or an end that came with the takeover: nothing waits for it. */
  bypass(slot: number): void {
    while (slot >= this.#hash.length) this.#grow()
    this.#bucketOf[slot] = -1
    this.#hash[slot] = 0
  }

  /** The slot is in no chain, but its record has a key: ends of later records of it do not count while it is open. */
  remember(slot: number, keyHash: number): void {
    while (slot >= this.#hash.length) this.#grow()
    this.#bucketOf[slot] = -1
    this.#hash[slot] = keyHash
  }

  /** The first slot of a chain leaves it: answers the slot that may go now, or -1. */
  leave(slot: number): number {
    const bucket = this.#bucketOf[slot]!
    if (bucket < 0) return -1
    this.#bucketOf[slot] = -1
    const follower = this.#follower[slot]!
    this.#ends[bucket * 2] = follower + 1
    if (follower < 0) this.#ends[bucket * 2 + 1] = 0
    return follower
  }

  /** Whether a later record of the slot's key waits for it. */
  hasLater(slot: number): boolean {
    if (this.#bucketOf[slot]! < 0) return false
    const hash = this.#hash[slot]!
    for (let later = this.#follower[slot]!; later >= 0; later = this.#follower[later]!)
      if (this.#hash[later] === hash) return true
    return false
  }

  hashOf(slot: number): number {
    return this.#hash[slot]!
  }

  /** Whether a record of this key may go now, or is on its way. Not: whether one of the key's bucket waits. */
  isGoing(keyHash: number): boolean {
    if (this.#ends === none) return false
    const first = this.#ends[((keyHash & this.#bucketMask) >>> 0) * 2]! - 1
    return first >= 0 && this.#hash[first] === keyHash
  }

  /** For Tracker.endedRuns: refuses an end that has an unended record of its bucket before it. */
  prefixCounter(): (slot: number, ended: boolean) => boolean {
    const open = new Set<number>()
    const mask = this.#bucketMask
    return (slot, ended) => {
      const hash = this.#hash[slot]!
      if (hash === 0) return ended
      const bucket = (hash & mask) >>> 0
      if (!ended) open.add(bucket)
      return ended && !open.has(bucket)
    }
  }
}

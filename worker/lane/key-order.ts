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

/**
 * Which records of the window must wait for an earlier one of their key. Chains in hash buckets: a bucket holds the first and
 * the last slot of its chain, a slot its follower. The first may go or is on its way; the others wait. No map and no object per
 * record; two keys in one bucket only delay each other.
 */
export class KeyOrder {
  readonly #bucketMask: number
  readonly #first: Int32Array
  readonly #last: Int32Array
  readonly #bucketOf: Int32Array
  readonly #follower: Int32Array
  readonly #hash: Float64Array

  /** window: slots of the lane's tracker, a power of two. */
  constructor(window: number) {
    const buckets = window * 2
    this.#bucketMask = buckets - 1
    this.#first = new Int32Array(buckets).fill(-1)
    this.#last = new Int32Array(buckets).fill(-1)
    this.#bucketOf = new Int32Array(window).fill(-1)
    this.#follower = new Int32Array(window).fill(-1)
    this.#hash = new Float64Array(window)
  }

  /** Appends the slot to its chain; answers whether it may go at once. */
  enter(slot: number, keyHash: number): boolean {
    const bucket = (keyHash & this.#bucketMask) >>> 0
    const last = this.#last[bucket]!
    this.#last[bucket] = slot
    this.#bucketOf[slot] = bucket
    this.#follower[slot] = -1
    this.#hash[slot] = keyHash
    if (last < 0) {
      this.#first[bucket] = slot
      return true
    }
    this.#follower[last] = slot
    return false
  }

  /** The slot has no key, or an end that came with the takeover: nothing waits for it. */
  bypass(slot: number): void {
    this.#bucketOf[slot] = -1
    this.#hash[slot] = 0
  }

  /** The slot is in no chain, but its record has a key: ends of later records of it do not count while it is open. */
  remember(slot: number, keyHash: number): void {
    this.#bucketOf[slot] = -1
    this.#hash[slot] = keyHash
  }

  /** The first slot of a chain leaves it: answers the slot that may go now, or -1. */
  leave(slot: number): number {
    const bucket = this.#bucketOf[slot]!
    if (bucket < 0) return -1
    this.#bucketOf[slot] = -1
    const follower = this.#follower[slot]!
    this.#first[bucket] = follower
    if (follower < 0) this.#last[bucket] = -1
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
    const first = this.#first[(keyHash & this.#bucketMask) >>> 0]!
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

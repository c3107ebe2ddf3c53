import { output } from './output.ts'
import { unusual } from './wire.ts'

/**
 * Entries of a map are written in wire order while they come as protobuf-es prints them: no key twice, and keys that look
 * like an array index before all others, ascending. What a JavaScript object would reorder or replace is unusual.
 */

/** Hashes of the keys of the maps that are being written, the innermost last. */
let hashes = new Uint32Array(1024)
let used = 0

/** Above this, duplicates are looked for once, at the end of the map, by sorting. */
const comparedMax = 16

const indexMax = 0xfffffffe
const noMoreIndices = indexMax + 1

/** Forgets what an earlier, abandoned record left. */
export function resetMapKeys(): void {
  used = 0
}

/** Begins a map and returns the mark by which its keys are told from those of the maps around it. */
export function beginMap(): number {
  return used
}

/** Takes note of the key that was written, with its quotes, to [from, to) of the output. Returns the new state of the order, at first -1. */
export function addMapKey(mark: number, from: number, to: number, order: number): number {
  const out = output.bytes
  // FNV-1a: different keys of one hash only cost the general decoder's time.
  let hash = 0x811c9dc5
  for (let i = from; i < to; i++) hash = Math.imul(hash ^ out[i]!, 0x01000193)
  hash >>>= 0
  if (used - mark < comparedMax) for (let i = mark; i < used; i++) if (hashes[i] === hash) throw unusual
  if (used === hashes.length) {
    const larger = new Uint32Array(used * 2)
    larger.set(hashes)
    hashes = larger
  }
  hashes[used++] = hash
  const first = out[from + 1]!
  if (first < 48 || first > 57) return noMoreIndices
  return orderOfIndex(from + 1, to - 1, order)
}

function orderOfIndex(from: number, to: number, order: number): number {
  const out = output.bytes
  if (to - from > 10 || (out[from] === 48 && to - from > 1)) return noMoreIndices
  let index = 0
  for (let i = from; i < to; i++) {
    const digit = out[i]! - 48
    if (digit < 0 || digit > 9) return noMoreIndices
    index = index * 10 + digit
  }
  if (index > indexMax) return noMoreIndices
  if (index <= order) throw unusual
  return index
}

/** Ends the map that began at the mark. */
export function endMap(mark: number): void {
  if (used - mark > comparedMax) {
    const sorted = hashes.slice(mark, used).sort()
    for (let i = 1; i < sorted.length; i++) if (sorted[i] === sorted[i - 1]) throw unusual
  }
  used = mark
}

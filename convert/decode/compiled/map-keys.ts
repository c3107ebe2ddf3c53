import { output } from './output.ts'
import { unusual } from './wire.ts'

/**
 * protobuf-es builds a JavaScript object of a map, which replaces the value of a key that comes again, and puts keys that look
 * like an array index before all others, ascending. Entries are written in wire order here, each with its comma in front, and
 * moved afterwards where that order differs; a key that comes again is unusual.
 */

/** The entries of the maps that are being written, the innermost map's last: their keys' hashes and indices, and where they begin. */
let hashes = new Uint32Array(1024)
let indices = new Uint32Array(1024)
let starts = new Uint32Array(1024)
let used = 0

/** Above this, keys that come again are looked for at the end of the map, by sorting. */
const comparedMax = 16

/** Stands for the index of a key that does not look like one; above all that do. */
const noIndex = 0xffffffff

/** Forgets what an earlier, abandoned record left. */
export function resetMapKeys(): void {
  used = 0
}

/** Begins a map and returns the mark by which its entries are told from those of the maps around it. */
export function beginMap(): number {
  return used
}

/** Takes note of an entry of the map that began at the mark. Its key was written, with quotes, to [from, to) of the output, behind a comma. */
export function addMapKey(mark: number, from: number, to: number): void {
  const out = output.bytes
  // FNV-1a. Different keys of one hash only cost the general decoder's time.
  let hash = 0x811c9dc5
  for (let i = from; i < to; i++) hash = Math.imul(hash ^ out[i]!, 0x01000193)
  hash >>>= 0
  if (used - mark < comparedMax) for (let i = mark; i < used; i++) if (hashes[i] === hash) throw unusual
  if (used === hashes.length) [hashes, indices, starts] = [grown(hashes), grown(indices), grown(starts)]
  hashes[used] = hash
  indices[used] = indexOfKey(from + 1, to - 1)
  starts[used++] = from - 1
}

function grown(array: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(array.length * 2)
  larger.set(array)
  return larger
}

function indexOfKey(from: number, to: number): number {
  const out = output.bytes
  const first = out[from]!
  if (first < 48 || first > 57 || to - from > 10 || (first === 48 && to - from > 1)) return noIndex
  let index = 0
  for (let i = from; i < to; i++) {
    const digit = out[i]! - 48
    if (digit < 0 || digit > 9) return noIndex
    index = index * 10 + digit
  }
  return Math.min(index, noIndex)
}

/** Ends the map that began at the mark, and whose last entry ends at a position of the output. */
export function endMap(mark: number, end: number): void {
  const count = used - mark
  if (count > comparedMax) {
    const sorted = hashes.slice(mark, used).sort()
    for (let i = 1; i < count; i++) if (sorted[i] === sorted[i - 1]) throw unusual
  }
  for (let i = mark + 1; i < used; i++) {
    if (indices[i]! < indices[i - 1]!) {
      sortEntries(mark, end)
      break
    }
  }
  used = mark
}

function sortEntries(mark: number, end: number): void {
  const first = starts[mark]!
  const entries = Buffer.from(output.bytes.subarray(first, end))
  const order = Array.from({ length: used - mark }, (_, at) => mark + at)
  order.sort((one, other) => indices[one]! - indices[other]!)
  let pos = first
  for (const entry of order) {
    const start = starts[entry]! - first
    const entryEnd = entry + 1 === used ? entries.length : starts[entry + 1]! - first
    entries.copy(output.bytes, pos, start, entryEnd)
    pos += entryEnd - start
  }
}

import { output } from './output.ts'
import { cursor } from './wire.ts'
import { writeAscii } from './write-text.ts'

const quote = 34
const minus = 45
const zero = 48

/** Writes an integer of magnitude below 2^53 in decimal. */
export function writeInteger(value: number, at: number): number {
  if (value >= 0) return writeDigits(value, at)
  output.bytes[at] = minus
  return writeDigits(-value, at + 1)
}

function writeDigits(value: number, at: number): number {
  const out = output.bytes
  if (value < 10) {
    out[at] = zero + value
    return at + 1
  }
  // Above 2^31 by double arithmetic in one step, below by integer arithmetic.
  if (value >= 1e9) {
    const upper = Math.floor(value / 1e9)
    return writePadded(value - upper * 1e9, 9, writeDigits(upper, at))
  }
  let length = 2
  for (let bound = 100; value >= bound && length < 9; bound *= 10) length++
  return writePadded(value, length, at)
}

/** Writes a number below 10^9 with so many digits, zeros in front. */
export function writePadded(value: number, length: number, at: number): number {
  const out = output.bytes
  let rest = value | 0
  for (let pos = at + length - 1; pos >= at; pos--) {
    const next = (rest / 10) | 0
    out[pos] = zero + rest - next * 10
    rest = next
  }
  return at + length
}

/** Writes the signed number in cursor.lo and cursor.hi as a JSON string. */
export function writeInt64(at: number): number {
  const out = output.bytes
  out[at] = quote
  const end = writeInt64Digits(at + 1)
  out[end] = quote
  return end + 1
}

/** Writes the signed number in cursor.lo and cursor.hi as a JSON number: with all its digits. */
export function writeInt64Digits(at: number): number {
  if (cursor.hi >= 0) return writeWords(cursor.lo, cursor.hi, at)
  output.bytes[at] = minus
  const lo = -cursor.lo | 0
  const hi = lo === 0 ? -cursor.hi | 0 : ~cursor.hi
  return writeWords(lo, hi, at + 1)
}

/** Writes the unsigned number in cursor.lo and cursor.hi as a JSON string. */
export function writeUint64(at: number): number {
  const out = output.bytes
  out[at] = quote
  const end = writeWords(cursor.lo, cursor.hi, at + 1)
  out[end] = quote
  return end + 1
}

function writeWords(loWord: number, hiWord: number, at: number): number {
  const lo = loWord >>> 0
  const hi = hiWord >>> 0
  if (hi < 0x200000) return writeDigits(hi * 0x100000000 + lo, at)
  // Long division by 10^9 in 16-bit steps, each exact in a double.
  const step1 = (hi % 1e9) * 0x10000 + (lo >>> 16)
  const step2 = (step1 % 1e9) * 0x10000 + (lo & 0xffff)
  const quotient = (Math.floor(hi / 1e9) * 0x10000 + Math.floor(step1 / 1e9)) * 0x10000 + Math.floor(step2 / 1e9)
  return writePadded(step2 % 1e9, 9, writeDigits(quotient, at))
}

/** Writes a float or double; what JSON has no number for is a string. Like JSON.stringify, -0 is written as 0. */
export function writeDouble(value: number, at: number): number {
  if (Number.isInteger(value) && value < 1e15 && value > -1e15) return writeInteger(value, at)
  if (Number.isFinite(value)) return writeAscii(String(value), at)
  return writeAscii(Number.isNaN(value) ? '"NaN"' : value > 0 ? '"Infinity"' : '"-Infinity"', at)
}

/** Writes true for anything but 0. */
export function writeBool(value: number, at: number): number {
  return writeAscii(value === 0 ? 'false' : 'true', at)
}

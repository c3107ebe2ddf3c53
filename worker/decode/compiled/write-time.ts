import { output } from './output.ts'
import { cursor, readUint32, readVarint64, unusual } from './wire.ts'
import { writeInteger, writePadded } from './write-number.ts'

/** A message's fields seconds and nanos, as far as they can be told exactly by numbers. */
const span = { seconds: 0, nanos: 0 }

const secondsTag = 8
const nanosTag = 16

function readSpan(bytes: Buffer, from: number, to: number): void {
  let seconds: number | undefined
  let nanos: number | undefined
  let pos = from
  while (pos < to) {
    const tag = bytes[pos++]
    if (tag === secondsTag && seconds === undefined) {
      pos = readVarint64(bytes, pos)
      seconds = cursor.hi * 0x100000000 + (cursor.lo >>> 0)
    } else if (tag === nanosTag && nanos === undefined) {
      nanos = readUint32(bytes, pos) | 0
      pos = cursor.pos
    } else throw unusual
  }
  if (pos !== to) throw unusual
  span.seconds = seconds ?? 0
  span.nanos = nanos ?? 0
}

const quote = 34
const dash = 45
const colon = 58

/** Writes a google.protobuf.Timestamp as RFC 3339 has it. */
export function writeTimestamp(bytes: Buffer, from: number, to: number, at: number): number {
  readSpan(bytes, from, to)
  const { seconds, nanos } = span
  // From the year 1 to 9999.
  if (seconds < -62135596800 || seconds > 253402300799 || nanos < 0 || nanos > 999999999) throw unusual
  const days = Math.floor(seconds / 86400)
  const second = seconds - days * 86400
  const out = output.bytes
  out[at] = quote
  let pos = writeDate(days, at + 1)
  out[pos++] = 84
  pos = writePadded(second / 3600, 2, pos)
  out[pos++] = colon
  pos = writePadded((second % 3600) / 60, 2, pos)
  out[pos++] = colon
  pos = writePadded(second % 60, 2, pos)
  pos = writeFraction(nanos, pos)
  out[pos++] = 90
  out[pos++] = quote
  return pos
}

/** Days since 1970 to year, month and day: Howard Hinnant's civil_from_days, for years from 1 on. */
function writeDate(days: number, at: number): number {
  const shifted = days + 719468
  const era = Math.floor(shifted / 146097)
  const dayOfEra = shifted - era * 146097
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36524) - Math.floor(dayOfEra / 146096)) / 365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const monthFromMarch = Math.floor((5 * dayOfYear + 2) / 153)
  const day = dayOfYear - Math.floor((153 * monthFromMarch + 2) / 5) + 1
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  const out = output.bytes
  let pos = writePadded(year, 4, at)
  out[pos++] = dash
  pos = writePadded(month, 2, pos)
  out[pos++] = dash
  return writePadded(day, 2, pos)
}

/** Writes a google.protobuf.Duration as decimal seconds. */
export function writeDuration(bytes: Buffer, from: number, to: number, at: number): number {
  readSpan(bytes, from, to)
  const { seconds, nanos } = span
  if (Math.abs(seconds) > 315576000000 || Math.abs(nanos) > 999999999 || seconds * nanos < 0) throw unusual
  const out = output.bytes
  let pos = at
  out[pos++] = quote
  if (seconds < 0 || nanos < 0) out[pos++] = dash
  pos = writeInteger(Math.abs(seconds), pos)
  pos = writeFraction(Math.abs(nanos), pos)
  out[pos++] = 115
  out[pos++] = quote
  return pos
}

/** Writes nothing, or a point and 3, 6 or 9 digits. */
function writeFraction(nanos: number, at: number): number {
  if (nanos === 0) return at
  output.bytes[at] = 46
  if (nanos % 1_000_000 === 0) return writePadded(nanos / 1_000_000, 3, at + 1)
  if (nanos % 1000 === 0) return writePadded(nanos / 1000, 6, at + 1)
  return writePadded(nanos, 9, at + 1)
}

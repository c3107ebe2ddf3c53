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
  if (!isPrintable(seconds) || nanos < 0 || nanos > 999999999) throw unusual
  const days = Math.floor(seconds / 86400)
  const out = output.bytes
  out[at] = quote
  let pos = writeDate(days, at + 1)
  out[pos++] = 84
  pos = writeTimeOfDay(seconds - days * 86400, nanos, pos)
  out[pos++] = 90
  out[pos++] = quote
  return pos
}

/** Whether so many seconds since 1970 are in the years 1 to 9999. */
export const isPrintable = (seconds: number): boolean => seconds >= -62135596800 && seconds <= 253402300799

/** Writes hours, minutes, seconds and what there is of a fraction. */
export function writeTimeOfDay(second: number, nanos: number, at: number): number {
  const out = output.bytes
  let pos = writeTwoDigits((second / 3600) | 0, at)
  out[pos++] = colon
  pos = writeTwoDigits(((second % 3600) / 60) | 0, pos)
  out[pos++] = colon
  pos = writeTwoDigits(second % 60, pos)
  return writeFraction(nanos, pos)
}

/** Days since 1970 to year, month and day: Howard Hinnant's civil_from_days, which counts from March 1st of the year 0, so that nothing is negative here. */
export function writeDate(days: number, at: number): number {
  const dayOfCalendar = days + 719468
  const era = (dayOfCalendar / 146097) | 0
  const dayOfEra = dayOfCalendar - era * 146097
  const yearOfEra = ((dayOfEra - ((dayOfEra / 1460) | 0) + ((dayOfEra / 36524) | 0) - ((dayOfEra / 146096) | 0)) / 365) | 0
  const dayOfYear = dayOfEra - (365 * yearOfEra + (yearOfEra >> 2) - ((yearOfEra / 100) | 0))
  const monthFromMarch = ((5 * dayOfYear + 2) / 153) | 0
  const day = dayOfYear - (((153 * monthFromMarch + 2) / 5) | 0) + 1
  const month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
  const out = output.bytes
  let pos = writeTwoDigits((year / 100) | 0, at)
  pos = writeTwoDigits(year % 100, pos)
  out[pos++] = dash
  pos = writeTwoDigits(month, pos)
  out[pos++] = dash
  return writeTwoDigits(day, pos)
}

function writeTwoDigits(value: number, at: number): number {
  const out = output.bytes
  const tens = (value / 10) | 0
  out[at] = 48 + tens
  out[at + 1] = 48 + value - tens * 10
  return at + 2
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
export function writeFraction(nanos: number, at: number): number {
  if (nanos === 0) return at
  output.bytes[at] = 46
  if (nanos % 1_000_000 === 0) return writePadded(nanos / 1_000_000, 3, at + 1)
  if (nanos % 1000 === 0) return writePadded(nanos / 1000, 6, at + 1)
  return writePadded(nanos, 9, at + 1)
}

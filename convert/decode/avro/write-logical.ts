import { output } from '../compiled/output.ts'
import { cursor } from '../compiled/wire.ts'
import { writeAscii, writeRaw } from '../compiled/write-text.ts'
import { isPrintable, writeDate, writeTimeOfDay } from '../compiled/write-time.ts'
import { AvroFault, type AvroWriter, longNumber, readInt, readLength, readLong, takeBytes } from './avro-input.ts'
import type { Fixed, Logical, LogicalName, Primitive } from './avro-type.ts'

const quote = 34
const daySeconds = 86_400
/** BigInt needs the square of the digits in time. */
const decimalBytesMax = 4096

/** The writer of a logical type; undefined where it is written as what it stands on. */
export function logicalWriter(type: Primitive | Fixed, { name, scale }: Logical): AvroWriter | undefined {
  if (name === 'decimal') return decimalWriter(type.kind === 'fixed' ? type.size : undefined, scale)
  // A text is written as it is.
  if (name === 'uuid') return type.kind === 'fixed' ? writeUuid : undefined
  return writers[name]
}

const writers: Readonly<Record<Exclude<LogicalName, 'decimal' | 'uuid'>, AvroWriter>> = {
  date: (bytes, at) => {
    const from = cursor.pos
    const days = readInt(bytes)
    if (!isPrintable(days * daySeconds)) throw outside(from)
    return writeQuoted(at, (pos) => writeDate(days, pos))
  },
  'time-millis': (bytes, at) => {
    const from = cursor.pos
    return writeTime(readInt(bytes), 1000, from, at)
  },
  'time-micros': (bytes, at) => {
    const from = cursor.pos
    readLong(bytes)
    return writeTime(longNumber(), 1_000_000, from, at)
  },
  'timestamp-millis': (bytes, at) => writeTimestamp(bytes, 1000n, 'Z', at),
  'timestamp-micros': (bytes, at) => writeTimestamp(bytes, 1_000_000n, 'Z', at),
  'timestamp-nanos': (bytes, at) => writeTimestamp(bytes, 1_000_000_000n, 'Z', at),
  'local-timestamp-millis': (bytes, at) => writeTimestamp(bytes, 1000n, '', at),
  'local-timestamp-micros': (bytes, at) => writeTimestamp(bytes, 1_000_000n, '', at),
  'local-timestamp-nanos': (bytes, at) => writeTimestamp(bytes, 1_000_000_000n, '', at),
  duration: (bytes, at) => {
    const from = takeBytes(bytes, 12)
    const [months, days, millis] = [bytes.readUInt32LE(from), bytes.readUInt32LE(from + 4), bytes.readUInt32LE(from + 8)]
    const fraction = millis % 1000 === 0 ? '' : `.${String(millis % 1000).padStart(3, '0')}`
    return writeAscii(`"P${months}M${days}DT${Math.floor(millis / 1000)}${fraction}S"`, at)
  },
}

function writeQuoted(at: number, write: (pos: number) => number): number {
  output.bytes[at] = quote
  const end = write(at + 1)
  output.bytes[end] = quote
  return end + 1
}

function writeTime(value: number, perSecond: number, from: number, at: number): number {
  const second = Math.floor(value / perSecond)
  if (value < 0 || second >= daySeconds) throw new AvroFault(`a time of day of ${value / perSecond} s`, from)
  const nanos = (value - second * perSecond) * (1e9 / perSecond)
  return writeQuoted(at, (pos) => writeTimeOfDay(second, nanos, pos))
}

function writeTimestamp(bytes: Buffer, perSecond: bigint, zone: string, at: number): number {
  const from = cursor.pos
  readLong(bytes)
  const value = (BigInt(cursor.hi) << 32n) | BigInt(cursor.lo >>> 0)
  const rest = ((value % perSecond) + perSecond) % perSecond
  const seconds = Number((value - rest) / perSecond)
  if (!isPrintable(seconds)) throw outside(from)
  const nanos = Number(rest * (1_000_000_000n / perSecond))
  const days = Math.floor(seconds / daySeconds)
  return writeQuoted(at, (pos) => {
    const time = writeAscii('T', writeDate(days, pos))
    return writeAscii(zone, writeTimeOfDay(seconds - days * daySeconds, nanos, time))
  })
}

const outside = (from: number): AvroFault =>
  new AvroFault('a time outside of the years 1 to 9999, which has no JSON form but with plain_logical_types', from)

function writeUuid(bytes: Buffer, at: number): number {
  const from = takeBytes(bytes, 16)
  const hex = bytes.toString('hex', from, from + 16)
  return writeAscii(`"${hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')}"`, at)
}

/** size: of a fixed; undefined for bytes. */
function decimalWriter(size: number | undefined, scale: number): AvroWriter {
  return (bytes, at) => {
    const start = cursor.pos
    const count = size ?? readLength(bytes)
    if (count > decimalBytesMax)
      throw new AvroFault(`a decimal of ${count} bytes, at most ${decimalBytesMax} can be printed`, start)
    const from = takeBytes(bytes, count)
    const unscaled = count === 0 ? 0n : BigInt.asIntN(count * 8, BigInt(`0x${bytes.toString('hex', from, from + count)}`))
    return writeRaw(Buffer.from(`"${decimalText(unscaled, scale)}"`), at)
  }
}

function decimalText(unscaled: bigint, scale: number): string {
  if (scale === 0) return String(unscaled)
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0')
  return `${unscaled < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`
}

import { addMapKey, beginMap, endMap } from './map-keys.ts'
import { output, outputFull } from './output.ts'
import { cursor, entry, readEntry, readUint32, readVarint64, unusual } from './wire.ts'
import { writeBool, writeDouble } from './write-number.ts'
import { writeAscii, writeText } from './write-text.ts'

const comma = 44
const colon = 58
const delimited = 2
const firstFieldDelimited = (1 << 3) | delimited

/** Writes a google.protobuf.Struct as a JSON object. */
export function writeStruct(bytes: Buffer, from: number, to: number, at: number, depthLeft: number): number {
  const out = output.bytes
  const mark = beginMap()
  let pos = at
  let i = from
  while (i < to) {
    if (bytes[i++] !== firstFieldDelimited) throw unusual
    const length = readUint32(bytes, i)
    const end = cursor.pos + length
    if (end > to) throw unusual
    readEntry(bytes, cursor.pos, end, firstFieldDelimited, (2 << 3) | delimited)
    const { key, value } = entry
    if (key === 0 || value === 0) throw unusual
    out[pos++] = comma
    const keyLength = readUint32(bytes, key)
    const keyEnd = writeText(bytes, cursor.pos, cursor.pos + keyLength, pos)
    addMapKey(mark, pos, keyEnd)
    out[keyEnd] = colon
    const valueLength = readUint32(bytes, value)
    pos = writeValue(bytes, cursor.pos, cursor.pos + valueLength, keyEnd + 1, depthLeft - 1)
    i = end
  }
  endMap(mark, pos)
  if (pos === at) pos++
  out[at] = 123
  out[pos] = 125
  return pos + 1
}

/** Writes a google.protobuf.ListValue as a JSON array. */
export function writeListValue(bytes: Buffer, from: number, to: number, at: number, depthLeft: number): number {
  const out = output.bytes
  let pos = at
  let i = from
  while (i < to) {
    if (bytes[i++] !== firstFieldDelimited) throw unusual
    const length = readUint32(bytes, i)
    const end = cursor.pos + length
    if (end > to) throw unusual
    out[pos++] = comma
    pos = writeValue(bytes, cursor.pos, end, pos, depthLeft - 1)
    i = end
  }
  if (pos === at) pos++
  out[at] = 91
  out[pos] = 93
  return pos + 1
}

/** Writes a google.protobuf.Value, which must have exactly one kind. */
export function writeValue(bytes: Buffer, from: number, to: number, at: number, depthLeft: number): number {
  if (depthLeft < 1) throw unusual
  if (at > output.limit) throw outputFull
  const tag = bytes[from]
  const i = from + 1
  switch (from < to ? tag : 0) {
    case 0x08:
      return expectEnd(readVarint64(bytes, i), to, writeAscii('null', at))
    case 0x11: {
      if (i + 8 !== to) throw unusual
      const value = bytes.readDoubleLE(i)
      if (!Number.isFinite(value)) throw unusual
      return writeDouble(value, at)
    }
    case 0x20:
      return expectEnd(readVarint64(bytes, i), to, writeBool(cursor.lo | cursor.hi, at))
    case 0x1a:
    case 0x2a:
    case 0x32: {
      const length = readUint32(bytes, i)
      const start = cursor.pos
      if (start + length !== to) throw unusual
      if (tag === 0x1a) return writeText(bytes, start, to, at)
      return tag === 0x2a ? writeStruct(bytes, start, to, at, depthLeft - 1) : writeListValue(bytes, start, to, at, depthLeft - 1)
    }
    default:
      throw unusual
  }
}

function expectEnd(pos: number, to: number, written: number): number {
  if (pos !== to) throw unusual
  return written
}

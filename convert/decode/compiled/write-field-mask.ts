import { output, outputFull } from './output.ts'
import { cursor, readUint32, unusual } from './wire.ts'

const quote = 34
const comma = 44
const pathsTag = 10

/** Whether a byte of a path stands for itself in the JSON, and needs no look at those around it: no capital, no underscore. */
const isPlain = Uint8Array.from({ length: 256 }, (_, byte) => (/[ !#-@[\]^`a-~]/.test(String.fromCharCode(byte)) ? 1 : 0))

/** Writes a google.protobuf.FieldMask as its paths in lowerCamelCase; a path that cannot be turned back, or that no field has, is unusual. */
export function writeFieldMask(bytes: Buffer, from: number, to: number, at: number): number {
  if (at + to - from > output.limit) throw outputFull
  const out = output.bytes
  out[at] = quote
  let pos = at
  let i = from
  while (i < to) {
    if (bytes[i++] !== pathsTag) throw unusual
    const length = readUint32(bytes, i)
    i = cursor.pos
    const end = i + length
    if (length === 0 || end > to) throw unusual
    if (pos > at) out[++pos] = comma
    while (i < end) {
      let byte = bytes[i++]!
      if (byte === 95 && i < end) {
        byte = bytes[i++]!
        if (byte < 97 || byte > 122) throw unusual
        byte -= 32
      } else if (isPlain[byte] === 0) throw unusual
      out[++pos] = byte
    }
  }
  out[pos + 1] = quote
  return pos + 2
}

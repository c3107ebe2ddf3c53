import { isUtf8 } from 'node:buffer'
import { DecodeError } from './decode-error.ts'
import type { DecodeLimits } from './decode-limits.ts'
import type { Decoder } from './decoder.ts'
import { utf8Fault } from './utf8-fault.ts'

const quote = 34
const comma = 44
const minus = 45
const point = 46
const colon = 58
const openArray = 91
const backslash = 92
const openObject = 123
const closeObject = 125

/** 1 for the bytes that stand for themselves in a string. */
const plain = Uint8Array.from({ length: 256 }, (_, byte) => (byte > 31 && byte !== quote && byte !== backslash ? 1 : 0))
/** What may follow a backslash, beside u. */
const escapes = new Set(Buffer.from('"\\/bfnrt'))

/**
 * The decoder of values that are JSON already: it checks that a value is exactly one JSON text (RFC 8259, UTF-8, no byte order
 * mark, no level deeper than jsonDepthMax), as JSON.parse does, and returns the very same bytes. Names may repeat, and escapes may
 * be lone surrogates: what to make of them is the receiver's to decide.
 *
 * A scanner without recursion, because it costs a quarter of JSON.parse and makes no garbage. Its loop asks for a space before
 * it calls skipSpace, and has one place each that reads strings and numbers, so that the engine inlines those.
 */
export function jsonDecoder({
  jsonDepthMax: depthMax,
  bodyBytesMax,
}: Pick<DecodeLimits, 'jsonDepthMax' | 'bodyBytesMax'>): Decoder {
  // The closing brackets of the open levels.
  const closers = new Uint8Array(depthMax)
  return (value) => {
    if (value.length > bodyBytesMax) throw tooLarge(value.length, bodyBytesMax)
    if (!isUtf8(value)) throw invalidUtf8(value)
    let depth = 0
    let isName = false
    let pos = 0
    for (;;) {
      // A value begins here, or a member's name.
      if (value[pos]! < 33) pos = skipSpace(value, pos)
      let byte = value[pos]!
      if (byte === quote) {
        pos = readString(value, pos + 1)
        if (isName) {
          if (value[pos]! < 33) pos = skipSpace(value, pos)
          byte = value[pos]!
          if (byte !== colon) throw unexpected(value, pos, "':'")
          isName = false
          pos++
          continue
        }
      } else if (isName) throw unexpected(value, pos, "a name in '\"'")
      else if (byte === minus || (byte >= 48 && byte <= 57)) pos = readNumber(value, pos)
      else if (byte === openObject || byte === openArray) {
        if (depth === depthMax) throw new DecodeError('NESTED_TOO_DEEP', `more than ${depthMax} levels at byte ${pos}`, pos)
        const closer = byte + 2
        closers[depth++] = closer
        pos++
        if (value[pos]! < 33) pos = skipSpace(value, pos)
        byte = value[pos]!
        if (byte !== closer) {
          isName = closer === closeObject
          continue
        }
        depth--
        pos++
      } else pos = readLiteral(value, pos, byte)
      // A value has ended here, perhaps more than one.
      for (;;) {
        if (value[pos]! < 33) pos = skipSpace(value, pos)
        byte = value[pos]!
        if (depth === 0) {
          if (pos === value.length) return value
          throw unexpected(value, pos, 'the end')
        }
        const closer = closers[depth - 1]!
        pos++
        if (byte === comma) {
          isName = closer === closeObject
          break
        }
        if (byte !== closer) throw unexpected(value, pos - 1, closer === closeObject ? "',' or '}'" : "',' or ']'")
        depth--
      }
    }
  }
}

function skipSpace(value: Buffer, from: number): number {
  let pos = from
  let byte = value[pos]!
  while (byte === 32 || byte === 10 || byte === 13 || byte === 9) byte = value[++pos]!
  return pos
}

function readLiteral(value: Buffer, pos: number, byte: number): number {
  if (byte === 116 && value[pos + 1] === 114 && value[pos + 2] === 117 && value[pos + 3] === 101) return pos + 4
  if (byte === 110 && value[pos + 1] === 117 && value[pos + 2] === 108 && value[pos + 3] === 108) return pos + 4
  if (byte === 102 && value[pos + 1] === 97 && value[pos + 2] === 108 && value[pos + 3] === 115 && value[pos + 4] === 101)
    return pos + 5
  throw unexpected(value, pos, 'a value')
}

/** Reads the rest of a string, after its opening quote. */
function readString(value: Buffer, from: number): number {
  let pos = from
  for (;;) {
    while (plain[value[pos]!] === 1) pos++
    if (value[pos] === quote) return pos + 1
    if (value[pos] !== backslash) throw unexpected(value, pos, 'the end of the string')
    if (escapes.has(value[++pos]!)) pos++
    else if (value[pos] === 117) {
      for (let digit = 0; digit < 4; digit++) if (!isHexDigit(value[++pos])) throw unexpected(value, pos, 'a hexadecimal digit')
      pos++
    } else throw unexpected(value, pos, 'an escape')
  }
}

function readNumber(value: Buffer, from: number): number {
  let pos = value[from] === minus ? from + 1 : from
  let byte = value[pos]!
  if (byte === 48) byte = value[++pos]!
  else if (byte > 48 && byte <= 57)
    do byte = value[++pos]!
    while (byte >= 48 && byte <= 57)
  else throw unexpected(value, pos, 'a digit')
  if (byte === point) {
    pos = readDigits(value, pos + 1)
    byte = value[pos]!
  }
  if (byte === 101 || byte === 69) {
    const sign = value[++pos]
    pos = readDigits(value, sign === 43 || sign === minus ? pos + 1 : pos)
  }
  return pos
}

function readDigits(value: Buffer, from: number): number {
  let pos = from
  let byte = value[pos]!
  while (byte >= 48 && byte <= 57) byte = value[++pos]!
  if (pos === from) throw unexpected(value, pos, 'a digit')
  return pos
}

function isDigit(byte: number): boolean {
  return byte >= 48 && byte <= 57
}

function isHexDigit(byte: number | undefined): boolean {
  return byte !== undefined && (isDigit(byte) || (byte >= 65 && byte <= 70) || (byte >= 97 && byte <= 102))
}

function unexpected(value: Buffer, pos: number, expected: string): DecodeError {
  return new DecodeError('NOT_JSON', `expected ${expected} at byte ${pos}, found ${describeByte(value[pos])}`, pos)
}

function describeByte(byte: number | undefined): string {
  if (byte === undefined) return 'the end of the value'
  if (byte > 32 && byte < 127) return `'${String.fromCharCode(byte)}'`
  return `byte 0x${byte.toString(16).padStart(2, '0')}`
}

function invalidUtf8(value: Buffer): DecodeError {
  const pos = utf8Fault(value, 0, value.length)
  return new DecodeError('NOT_JSON', `no UTF-8 at byte ${pos}: ${describeByte(value[pos])}`, pos)
}

function tooLarge(valueBytes: number, bodyBytesMax: number): DecodeError {
  return new DecodeError('BODY_TOO_LARGE', `the value has ${valueBytes} bytes, at most ${bodyBytesMax} are allowed`)
}

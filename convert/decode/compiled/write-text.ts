import { isUtf8 } from 'node:buffer'
import { utf8Fault } from '../utf8-fault.ts'
import { output, outputFull } from './output.ts'
import { unusual } from './wire.ts'

const quote = 34
const backslash = 92

/** 1 for what stands for itself in a JSON string and is ASCII. */
const plain = Uint8Array.from({ length: 256 }, (_, byte) =>
  byte > 31 && byte < 128 && byte !== quote && byte !== backslash ? 1 : 0,
)

/** What follows the backslash, for the characters that have a short form. */
const shortEscapes = new Uint8Array(128)
for (const [from, to] of ['""', '\\\\', '\bb', '\ff', '\nn', '\rr', '\tt']) shortEscapes[from!.charCodeAt(0)] = to!.charCodeAt(0)

const hexDigits = Buffer.from('0123456789abcdef')

/** Writes the UTF-8 text in [from, to) as a JSON string, escaped as JSON.stringify does; text that is no UTF-8 is unusual. */
export function writeText(bytes: Buffer, from: number, to: number, at: number): number {
  if (at + to - from > output.limit) throw outputFull
  const out = output.bytes
  let pos = at
  out[pos++] = quote
  for (let i = from; i < to; i++) {
    const byte = bytes[i]!
    if (plain[byte] === 0) return writeOtherText(bytes, i, to, pos)
    out[pos++] = byte
  }
  out[pos++] = quote
  return pos
}

/** The rest of a text that is not all plain. */
function writeOtherText(bytes: Buffer, from: number, to: number, at: number): number {
  const out = output.bytes
  let pos = at
  let isChecked = false
  for (let i = from; i < to; i++) {
    const byte = bytes[i]!
    if (plain[byte] === 1) out[pos++] = byte
    else if (byte < 128) {
      // An escape is longer than what it stands for, which was all that was reserved.
      if (pos + to - i > output.limit) throw outputFull
      pos = writeEscape(byte, pos)
    } else {
      if (!isChecked && !isUtf8Text(bytes, i, to)) throw unusual
      isChecked = true
      out[pos++] = byte
    }
  }
  out[pos++] = quote
  return pos
}

/** Above this, the native check pays, which needs a buffer for the part. */
const checkedHereMax = 32

function isUtf8Text(bytes: Buffer, from: number, to: number): boolean {
  if (to - from > checkedHereMax) return isUtf8(bytes.subarray(from, to))
  return utf8Fault(bytes, from, to) === to
}

function writeEscape(byte: number, at: number): number {
  const out = output.bytes
  out[at] = backslash
  const short = shortEscapes[byte]!
  if (short !== 0) {
    out[at + 1] = short
    return at + 2
  }
  out[at + 1] = 117
  out[at + 2] = 48
  out[at + 3] = 48
  out[at + 4] = hexDigits[byte >> 4]!
  out[at + 5] = hexDigits[byte & 15]!
  return at + 6
}

/** Writes bytes that are JSON already. */
export function writeRaw(raw: Uint8Array, at: number): number {
  if (at + raw.length > output.limit) throw outputFull
  const out = output.bytes
  let pos = at
  for (let i = 0; i < raw.length; i++) out[pos++] = raw[i]!
  return pos
}

/** Writes a short ASCII string without quotes; its length is within the slack. */
export function writeAscii(text: string, at: number): number {
  const out = output.bytes
  for (let i = 0; i < text.length; i++) out[at + i] = text.charCodeAt(i)
  return at + text.length
}

/** Writes the bytes in [from, to) as a JSON string in base64 with padding. */
export function writeBase64(bytes: Buffer, from: number, to: number, at: number): number {
  const length = Math.ceil((to - from) / 3) * 4
  if (at + length > output.limit) throw outputFull
  const out = output.bytes
  out[at] = quote
  // The native encoder costs a string, which pays above some hundred bytes.
  if (length > 512) out.write(bytes.toString('base64', from, to), at + 1, 'latin1')
  else encodeBase64(bytes, from, to, at + 1)
  out[at + 1 + length] = quote
  return at + length + 2
}

const base64Digits = Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/')
const padding = 61

function encodeBase64(bytes: Buffer, from: number, to: number, at: number): void {
  const out = output.bytes
  let pos = at
  for (let i = from; i < to; i += 3) {
    const left = to - i
    const group = (bytes[i]! << 16) | (left > 1 ? bytes[i + 1]! << 8 : 0) | (left > 2 ? bytes[i + 2]! : 0)
    out[pos++] = base64Digits[group >> 18]!
    out[pos++] = base64Digits[(group >> 12) & 63]!
    out[pos++] = left > 1 ? base64Digits[(group >> 6) & 63]! : padding
    out[pos++] = left > 2 ? base64Digits[group & 63]! : padding
  }
}

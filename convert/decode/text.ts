import { isUtf8 } from 'node:buffer'
import { DecodeError } from './decode-error.ts'
import type { DecodeLimits } from './decode-limits.ts'
import type { Decoder } from './decoder.ts'
import { utf8Fault } from './utf8-fault.ts'

/** The decoder of values that are text: one JSON string, escaped as JSON.stringify does. Nothing is taken away, also no byte order mark. */
export function textDecoder({ bodyBytesMax }: Pick<DecodeLimits, 'bodyBytesMax'>): Decoder {
  return (value) => {
    // Checked before the work: no body is shorter than its value and two quotes.
    if (value.length + 2 > bodyBytesMax) throw tooLarge(value.length + 2, bodyBytesMax)
    if (!isUtf8(value)) throw invalidUtf8(value)
    const body = Buffer.from(JSON.stringify(value.toString('utf8')))
    if (body.length > bodyBytesMax) throw tooLarge(body.length, bodyBytesMax)
    return body
  }
}

function invalidUtf8(value: Buffer): DecodeError {
  const pos = utf8Fault(value, 0, value.length)
  return new DecodeError('NOT_TEXT', `no UTF-8 at byte ${pos}: byte 0x${value[pos]!.toString(16).padStart(2, '0')}`, pos)
}

function tooLarge(bodyBytes: number, bodyBytesMax: number): DecodeError {
  return new DecodeError('BODY_TOO_LARGE', `the body would have at least ${bodyBytes} bytes, at most ${bodyBytesMax} are allowed`)
}

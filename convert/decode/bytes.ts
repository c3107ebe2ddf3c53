import { DecodeError } from './decode-error.ts'
import type { DecodeLimits } from './decode-limits.ts'
import type { Decoder } from './decoder.ts'

const quote = 34

/** The decoder of values that may be anything: one JSON string in base64 with padding. */
export function bytesDecoder({ bodyBytesMax }: Pick<DecodeLimits, 'bodyBytesMax'>): Decoder {
  return (value) => {
    const bodyBytes = Math.ceil(value.length / 3) * 4 + 2
    if (bodyBytes > bodyBytesMax) {
      throw new DecodeError('BODY_TOO_LARGE', `the body would have ${bodyBytes} bytes, at most ${bodyBytesMax} are allowed`)
    }
    const body = Buffer.allocUnsafe(bodyBytes)
    body[0] = quote
    body.write(value.toString('base64'), 1, 'latin1')
    body[bodyBytes - 1] = quote
    return body
  }
}

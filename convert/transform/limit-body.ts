import { DecodeError } from '../decode/decode-error.ts'
import type { Transform } from './compile-transform.ts'

/** The transform, with a limit to what it makes. Throws DecodeError BODY_TOO_LARGE above it, or rejects with it. */
export function limitBody(transform: Transform, bytesMax: number): Transform {
  const limited = (made: Buffer): Buffer => {
    if (made.length > bytesMax)
      throw new DecodeError(
        'BODY_TOO_LARGE',
        `the transform makes a body of ${made.length} bytes, at most ${bytesMax} are allowed`,
      )
    return made
  }
  return (body) => {
    const made = transform(body)
    return made instanceof Promise ? made.then(limited) : limited(made)
  }
}

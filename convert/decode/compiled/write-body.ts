import { DecodeError } from '../decode-error.ts'
import { output, outputFull, reserveOutput, takeOutput, trimOutput } from './output.ts'

const firstOutputBytes = 64 * 1024

/**
 * The body that `write` writes of a value: from the output's beginning to the position that it answers. Begins again with a larger
 * output as long as the body does not fit. Throws DecodeError, and what `write` throws.
 */
export function writeBody(write: (value: Buffer) => number, value: Buffer, bodyBytesMax: number): Buffer {
  try {
    reserveOutput(firstOutputBytes)
    for (;;) {
      try {
        const length = write(value)
        if (length > bodyBytesMax) throw tooLarge(bodyBytesMax)
        return takeOutput(length)
      } catch (error) {
        if (error !== outputFull) throw error
        if (output.limit >= bodyBytesMax) throw tooLarge(bodyBytesMax)
        reserveOutput(Math.min(output.limit * 4, bodyBytesMax))
      }
    }
  } finally {
    trimOutput()
  }
}

function tooLarge(bodyBytesMax: number): DecodeError {
  return new DecodeError('BODY_TOO_LARGE', `the body would have more than the ${bodyBytesMax} bytes that are allowed`)
}

import { fromBinary, toJsonString } from '@bufbuild/protobuf'
import { DecodeError } from './decode-error.ts'
import type { DecodeLimits } from './decode-limits.ts'
import type { Decoder } from './decoder.ts'
import { faultFinder } from './find-fault.ts'
import type { JsonOptions } from './json-options.ts'
import type { Schema } from './load-schema.ts'

const whatLengthMax = 300

/**
 * The decoder for every protobuf message: protobuf-es, behind a check that the value is what the message says. It defines what
 * is right; the compiled form does the same, faster.
 */
export function generalDecoder({ message, registry }: Schema, limits: DecodeLimits, options: JsonOptions): Decoder {
  const findFault = faultFinder(message, registry, limits.messageDepthMax)
  // Only extensions are printed from what a message does not know.
  const readUnknownFields = [...registry].some((type) => type.kind === 'extension')
  const readOptions = { recursionLimit: limits.messageDepthMax, readUnknownFields }
  const writeOptions = { registry, ...options }
  return (value) => {
    const fault = findFault(value)
    if (fault !== undefined) {
      const { code, path, offset, what } = fault
      throw new DecodeError(code, `no ${message.typeName}: ${what} at byte ${offset}${path === '' ? '' : `, in ${path}`}`, offset)
    }
    let json: string
    try {
      json = toJsonString(message, fromBinary(message, value, readOptions), writeOptions)
    } catch (error) {
      // It may quote a text of the value, of any length.
      const what = (error instanceof Error ? error.message : String(error)).slice(0, whatLengthMax)
      throw new DecodeError('NOT_PROTOBUF', `no ${message.typeName}: ${what}`)
    }
    const body = Buffer.from(json)
    if (body.length > limits.bodyBytesMax) {
      throw new DecodeError(
        'BODY_TOO_LARGE',
        `the body would have ${body.length} bytes, at most ${limits.bodyBytesMax} are allowed`,
      )
    }
    return body
  }
}

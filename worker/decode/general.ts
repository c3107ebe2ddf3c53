import { type DescMessage, fromBinary, type Registry, toJsonString } from '@bufbuild/protobuf'
import { DecodeError } from './decode-error.ts'
import type { DecodeLimits } from './decode-limits.ts'
import type { Decoder } from './decoder.ts'
import { findFault } from './find-fault.ts'

const whatLengthMax = 300

/** The decoder for every protobuf message, by protobuf-es. It defines what is right: the compiled form does the same, faster. */
export function generalDecoder(message: DescMessage, registry: Registry, limits: DecodeLimits): Decoder {
  // Only extensions are printed from what a message does not know.
  const readUnknownFields = [...registry].some((type) => type.kind === 'extension')
  const readOptions = { recursionLimit: limits.messageDepthMax, readUnknownFields }
  const writeOptions = { registry }
  return (value) => {
    let json: string
    try {
      json = toJsonString(message, fromBinary(message, value, readOptions), writeOptions)
    } catch (error) {
      throw describe(error, message, value, limits)
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

/** protobuf-es does not say where: look for the place by a walk of its own. */
function describe(error: unknown, message: DescMessage, value: Buffer, limits: DecodeLimits): DecodeError {
  const fault = findFault(message, value, limits.messageDepthMax)
  if (fault !== undefined) {
    const { code, path, offset, what } = fault
    return new DecodeError(code, `no ${message.typeName}: ${what} at byte ${offset}${path === '' ? '' : `, in ${path}`}`, offset)
  }
  // It may quote a text of the value, of any length.
  const what = (error instanceof Error ? error.message : String(error)).slice(0, whatLengthMax)
  return new DecodeError('NOT_PROTOBUF', `no ${message.typeName}: ${what}`)
}

import { isUtf8 } from 'node:buffer'
import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf'
import { BinaryReader, WireType } from '@bufbuild/protobuf/wire'
import type { DecodeErrorCode } from './decode-error.ts'

/** What is wrong with a protobuf value, and where. */
export interface Fault {
  readonly code: DecodeErrorCode
  readonly what: string
  /** Byte of the value where the field begins that is wrong. */
  readonly offset: number
  /** Names of the fields around it, joined by points; empty at the top. */
  readonly path: string
}

/** What a field's payload holds. */
interface Content {
  readonly scalar: ScalarType | undefined
  readonly message: DescMessage | undefined
  readonly isTextChecked: boolean
  readonly isPackable: boolean
}

/**
 * Looks for the first thing in a value that is not well-formed, or not as the message has it. Undefined when every byte is in
 * order: then the value says something that has no JSON form. Slow; only for errors.
 */
export function findFault(message: DescMessage, value: Buffer, depthMax: number): Fault | undefined {
  return findInMessage(message, value, 0, '', depthMax)
}

/** `bytes` is the message alone; it begins at the offset of the value. */
function findInMessage(message: DescMessage, bytes: Buffer, offset: number, path: string, depthLeft: number): Fault | undefined {
  if (depthLeft < 1) return { code: 'NESTED_TOO_DEEP', what: 'too many levels', offset, path }
  return findInFields(bytes, offset, path, (number, payload, wireType, at) => {
    const field = message.fields.find((each) => each.number === number)
    if (field === undefined) return undefined
    const inner = path === '' ? field.name : `${path}.${field.name}`
    if (field.fieldKind !== 'map') return findInPayload(contentOf(field), payload, wireType, at, inner, depthLeft)
    return findInFields(payload.bytes, payload.offset, inner, (part, entry, entryWireType, entryAt) => {
      const content = part === 1 ? keyOf(field) : part === 2 ? contentOf(field) : undefined
      return content && findInPayload(content, entry, entryWireType, entryAt, inner, depthLeft)
    })
  })
}

interface Payload {
  readonly bytes: Buffer
  readonly offset: number
}
type FindInField = (number: number, payload: Payload, wireType: WireType, at: number) => Fault | undefined

function findInFields(bytes: Buffer, offset: number, path: string, findInField: FindInField): Fault | undefined {
  const reader = new BinaryReader(bytes)
  while (reader.pos < bytes.length) {
    const at = offset + reader.pos
    try {
      const [number, wireType] = reader.tag()
      const start = reader.pos
      if (wireType === WireType.LengthDelimited) {
        const length = reader.uint32()
        const payload = { bytes: bytes.subarray(reader.pos, reader.pos + length), offset: offset + reader.pos }
        if (payload.bytes.length < length) return fault(`${length} bytes are announced, ${payload.bytes.length} follow`, at, path)
        reader.pos += length
        const found = findInField(number, payload, wireType, at)
        if (found !== undefined) return found
      } else {
        const skipped = reader.skip(wireType, number)
        const found = findInField(number, { bytes: Buffer.from(skipped), offset: offset + start }, wireType, at)
        if (found !== undefined) return found
      }
    } catch (error) {
      return fault(error instanceof Error ? error.message : String(error), at, path)
    }
  }
  return undefined
}

function findInPayload(
  content: Content,
  payload: Payload,
  wireType: WireType,
  at: number,
  path: string,
  depthLeft: number,
): Fault | undefined {
  if (wireType === WireType.StartGroup) return undefined
  const expected = content.scalar === undefined ? WireType.LengthDelimited : wireTypeOf(content.scalar)
  if (wireType !== expected && !(content.isPackable && wireType === WireType.LengthDelimited)) {
    return fault(`wire type ${wireType} instead of ${expected}`, at, path)
  }
  if (content.message !== undefined) return findInMessage(content.message, payload.bytes, payload.offset, path, depthLeft - 1)
  if (content.isTextChecked && !isUtf8(payload.bytes)) return fault('no UTF-8', at, path)
  return undefined
}

function contentOf(field: DescField): Content {
  const scalar = field.enum === undefined ? field.scalar : ScalarType.INT32
  const isPackable =
    field.fieldKind === 'list' && field.message === undefined && scalar !== ScalarType.STRING && scalar !== ScalarType.BYTES
  return { scalar, message: field.message, isTextChecked: scalar === ScalarType.STRING && field.utf8Validation, isPackable }
}

function keyOf(field: DescField & { fieldKind: 'map' }): Content {
  return {
    scalar: field.mapKey,
    message: undefined,
    isTextChecked: field.mapKey === ScalarType.STRING && field.utf8Validation,
    isPackable: false,
  }
}

function wireTypeOf(scalar: ScalarType): WireType {
  switch (scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return WireType.LengthDelimited
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return WireType.Bit64
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return WireType.Bit32
    default:
      return WireType.Varint
  }
}

function fault(what: string, offset: number, path: string): Fault {
  return { code: 'NOT_PROTOBUF', what, offset, path }
}

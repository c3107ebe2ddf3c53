import { isUtf8 } from 'node:buffer'
import { type DescExtension, type DescField, type DescMessage, fromBinary, type Registry, ScalarType } from '@bufbuild/protobuf'
import { AnySchema } from '@bufbuild/protobuf/wkt'
import { scalarCode } from './compiled/scalar-code.ts'
import type { DecodeErrorCode } from './decode-error.ts'

/** What is wrong with a protobuf value, and where. */
export interface Fault {
  readonly code: DecodeErrorCode
  readonly what: string
  /** Byte of the value at which the field begins that is wrong. */
  readonly offset: number
  /** Names of the fields around it, joined by points; empty at the top. */
  readonly path: string
}

/**
 * Compiles a search for the first thing in a value that is not well-formed, or not of the type that its field has. protobuf-es
 * is content with less: it reads a field of another wire type as if it were the right one, and a message that is longer than
 * what it lies in to its end, and so makes something of bytes that mean something else.
 */
export function faultFinder(message: DescMessage, registry: Registry, depthMax: number): (value: Buffer) => Fault | undefined {
  return (value) => {
    const walk = new Walk(value, registry)
    try {
      walk.message(message, 0, value.length, depthMax)
      return undefined
    } catch (error) {
      if (error === walk) return walk.fault
      throw error
    }
  }
}

const group = 3
const groupEnd = 4
const delimited = 2
const varintBytesMax = 10

/** One walk over one value. It throws itself when it has found a fault. */
class Walk {
  fault: Fault | undefined
  readonly #bytes: Buffer
  readonly #registry: Registry
  /** Names of the fields that are open. */
  readonly #path: string[] = []
  /** Result of #varint. */
  #value = 0

  constructor(bytes: Buffer, registry: Registry) {
    this.#bytes = bytes
    this.#registry = registry
  }

  /** Walks over the message in [from, to). */
  message(desc: DescMessage, from: number, to: number, depthLeft: number): void {
    this.#fields(messageFields(desc, this.#registry), from, to, depthLeft)
    if (!isAny(desc)) return
    const { typeUrl, value } = fromBinary(AnySchema, this.#bytes.subarray(from, to))
    const inner = this.#registry.getMessage(typeUrl.slice(typeUrl.lastIndexOf('/') + 1))
    if (inner === undefined || value.length === 0) return
    // The value is a part of the same memory.
    const start = value.byteOffset - this.#bytes.byteOffset
    this.message(inner, start, start + value.length, depthLeft - 1)
  }

  /** Walks over fields up to `to`, or to the end of the group that has begun. Returns the position after them. */
  #fields(fields: FieldsByNumber, from: number, to: number, depthLeft: number, openGroup?: number): number {
    if (depthLeft < 1) this.#fail('too many levels', from, 'NESTED_TOO_DEEP')
    let pos = from
    while (pos < to) {
      const at = pos
      pos = this.#varint(at, at, to, 5)
      const [number, wireType] = [this.#value >>> 3, this.#value & 7]
      if (number === 0 || wireType > 5 || (pos - at === 5 && this.#bytes[pos - 1]! > 15)) this.#fail('no tag', at)
      if (wireType === groupEnd) {
        if (number !== openGroup) this.#fail(`group ${number} ends, which has not begun`, at)
        return pos
      }
      const field = fields.get(number)
      if (field !== undefined) this.#path.push(field.name)
      pos = this.#payload(field, number, wireType, at, pos, to, depthLeft)
      if (field !== undefined) this.#path.pop()
    }
    if (openGroup !== undefined) this.#fail(`group ${openGroup} does not end`, from)
    return pos
  }

  #payload(
    field: FieldContent | undefined,
    number: number,
    wireType: number,
    at: number,
    from: number,
    to: number,
    depthLeft: number,
  ): number {
    const isPacked = wireType === delimited && field?.packedWireType !== undefined
    if (field !== undefined && wireType !== field.wireType && !isPacked) {
      this.#fail(`wire type ${wireType} instead of ${field.wireType}`, at)
    }
    switch (wireType) {
      case 0:
        // As long as it likes in a field that nobody knows.
        return this.#varint(at, from, to, field === undefined ? to : varintBytesMax)
      case group:
        return this.#fields(
          field?.message === undefined ? noFields : messageFields(field.message, this.#registry),
          from,
          to,
          depthLeft - 1,
          number,
        )
      case delimited: {
        const start = this.#varint(at, from, to, varintBytesMax)
        const end = start + this.#value
        if (end > to) this.#fail(`${this.#value} bytes are announced, ${to - start} follow`, at)
        if (field !== undefined) this.#content(field, at, start, end, depthLeft)
        return end
      }
      default: {
        const end = from + (wireType === 1 ? 8 : 4)
        if (end > to) this.#fail('cut off', at)
        return end
      }
    }
  }

  #content(field: FieldContent, at: number, from: number, to: number, depthLeft: number): void {
    if (field.message !== undefined) this.message(field.message, from, to, depthLeft - 1)
    else if (field.entry !== undefined) this.#fields(field.entry, from, to, depthLeft)
    else if (field.isTextChecked && !isUtf8(this.#bytes.subarray(from, to))) this.#fail('no UTF-8', at)
    else if (field.packedWireType === 0) for (let pos = from; pos < to; ) pos = this.#varint(at, pos, to, varintBytesMax)
    else if (field.packedWireType !== undefined && (to - from) % (field.packedWireType === 1 ? 8 : 4) !== 0)
      this.#fail('cut off', at)
  }

  /** Reads a varint, of which the lower 32 bits are kept. Returns the position after it. */
  #varint(at: number, from: number, to: number, bytesMax: number): number {
    let value = 0
    for (let pos = from; pos < to && pos - from < bytesMax; pos++) {
      const byte = this.#bytes[pos]!
      if (pos - from < 5) value |= (byte & 127) << (7 * (pos - from))
      if (byte > 127) continue
      this.#value = value >>> 0
      return pos + 1
    }
    return this.#fail(to - from < bytesMax ? 'cut off' : 'a varint without an end', at)
  }

  #fail(what: string, offset: number, code: DecodeErrorCode = 'NOT_PROTOBUF'): never {
    this.fault = { code, what, offset, path: this.#path.join('.') }
    throw this
  }
}

/** What a field's payload holds. */
interface FieldContent {
  readonly name: string
  readonly wireType: number
  /** Wire type of the elements, when the field may also be packed. */
  readonly packedWireType: number | undefined
  readonly message: DescMessage | undefined
  /** Key and value of a map. */
  readonly entry: FieldsByNumber | undefined
  readonly isTextChecked: boolean
}
type FieldsByNumber = ReadonlyMap<number, FieldContent>

/** A schema may bring another message under this name; protobuf-es finds no JSON for that. */
function isAny(desc: DescMessage): boolean {
  const numbers = desc.fields.map((field) => [field.number, field.fieldKind, field.scalar].join())
  return desc.typeName === AnySchema.typeName && numbers.join(' ') === '1,scalar,9 2,scalar,12'
}

const noFields: FieldsByNumber = new Map()
const known = new WeakMap<DescMessage, FieldsByNumber>()

/** The fields of a message, and its extensions. */
function messageFields(desc: DescMessage, registry: Registry): FieldsByNumber {
  const before = known.get(desc)
  if (before !== undefined) return before
  const fields = new Map(desc.fields.map((field) => [field.number, contentOf(field)]))
  for (const type of registry) {
    if (type.kind === 'extension' && type.extendee.typeName === desc.typeName) fields.set(type.number, contentOf(type))
  }
  known.set(desc, fields)
  return fields
}

function contentOf(field: DescField | DescExtension): FieldContent {
  const { name } = field
  if (field.fieldKind === 'map') {
    const key = scalarContent('key', field.mapKey, field.utf8Validation)
    const value =
      field.message === undefined
        ? scalarContent('value', field.scalar, field.utf8Validation)
        : messageContent('value', field.message)
    return { ...messageContent(name, undefined), entry: new Map([[1, key], [2, value]]) } // biome-ignore format: two fields
  }
  if (field.message !== undefined) return messageContent(name, field.message, field.delimitedEncoding === true)
  const content = scalarContent(name, field.scalar, field.utf8Validation)
  return field.fieldKind === 'list' && content.wireType !== delimited ? { ...content, packedWireType: content.wireType } : content
}

function messageContent(name: string, message: DescMessage | undefined, isGroup = false): FieldContent {
  return {
    name,
    wireType: isGroup ? group : delimited,
    packedWireType: undefined,
    message,
    entry: undefined,
    isTextChecked: false,
  }
}

/** Of an enum when there is no scalar. */
function scalarContent(name: string, scalar: ScalarType | undefined, isUtf8Checked: boolean): FieldContent {
  const { wireType } = scalarCode[scalar ?? ScalarType.INT32]
  const isTextChecked = scalar === ScalarType.STRING && isUtf8Checked
  return { name, wireType, packedWireType: undefined, message: undefined, entry: undefined, isTextChecked }
}

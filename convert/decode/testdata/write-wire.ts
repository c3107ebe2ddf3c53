import { type DescExtension, type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf'
import type { Choices } from './choices.ts'

/** Writes protobuf messages of any type at random, byte by byte, so that they also are as no serializer writes them. */

const texts = [
  '',
  'a',
  'plain text',
  'tab\tquote"back\\slash',
  '\u0000\u001f\u007f',
  'naïve',
  '日本語🎉',
  '\u2028\ufffd\ufeff',
  '7',
  '3',
  '01',
]
const otherTexts = [
  'foo_bar.baz_2',
  'fooBar',
  'a__b',
  '__proto__',
  'constructor',
  '4294967294',
  '4294967295',
  'x'.repeat(150),
  'é'.repeat(40),
]
const brokenTexts = ['ff', '80', 'c3', 'eda080', 'f4908080', '61c0af', 'e28228', '22ff22']
const longs = [
  0n,
  1n,
  -1n,
  2n,
  3n,
  127n,
  128n,
  300n,
  1700000000n,
  2147483647n,
  -2147483648n,
  4294967295n,
  -62135596800n,
  253402300799n,
]
const otherLongs = [
  253402300800n,
  315576000000n,
  -315576000001n,
  1n << 49n,
  (1n << 53n) - 1n,
  (1n << 53n) + 1n,
  (1n << 63n) - 1n,
  1n << 63n,
]
const nanos = [500_000_000n, 1n, 1_000n, 999_999_999n, 1_000_000_000n, 120_000_000n, -500_000_000n]
const doubles = [
  0,
  -0,
  1,
  -1.5,
  0.1,
  1e21,
  1e-7,
  5e-324,
  1.7976931348623157e308,
  NaN,
  Infinity,
  -Infinity,
  123456789012345,
  2 ** 53,
  3.4e38,
]

export interface WireOptions {
  /** Also write what no serializer writes: text that is no UTF-8, longer varints than needed, groups that nobody knows. */
  readonly isWild: boolean
  /** Also write fields as if they were of another type. */
  readonly hasWrongTypes?: boolean
  /** Also written, in the messages that they extend. */
  readonly extensions?: readonly DescExtension[]
}

export function writeMessage(desc: DescMessage, choices: Choices, options: WireOptions, depthLeft = 5): Buffer {
  const extensions = (options.extensions ?? []).filter((extension) => extension.extendee === desc)
  const fields = [...desc.fields, ...extensions]
  const parts: Buffer[] = []
  for (let count = choices.below(depthLeft > 0 ? 9 : 2); count > 0; count--) {
    if (fields.length === 0 || choices.rarely(12)) parts.push(writeUnknown(desc, choices, options))
    else parts.push(writeField(choices.pick(...fields), choices, options, depthLeft))
  }
  return Buffer.concat(parts)
}

function writeField(field: DescField | DescExtension, choices: Choices, options: WireOptions, depthLeft: number): Buffer {
  if (options.hasWrongTypes && choices.rarely(20))
    return Buffer.concat([writeTag(field.number, choices.below(6)), writeScalar(ScalarType.STRING, choices, options)])
  const parts: Buffer[] = []
  const count = field.fieldKind === 'list' || field.fieldKind === 'map' ? choices.below(4) : 1
  if (field.fieldKind === 'list' && field.message === undefined && choices.below(2) === 0) {
    const type = field.scalar ?? ScalarType.INT32
    if (type !== ScalarType.STRING && type !== ScalarType.BYTES) {
      for (let left = count; left > 0; left--) parts.push(writeScalar(type, choices, options))
      return Buffer.concat([writeTag(field.number, 2), withLength(Buffer.concat(parts))])
    }
  }
  for (let left = count; left > 0; left--) {
    if (field.fieldKind !== 'map') parts.push(writeValue(field, field.number, choices, options, depthLeft))
    else {
      const key = Buffer.concat([writeTag(1, wireTypeOf(field.mapKey)), writeScalar(field.mapKey, choices, options)])
      const value = writeValue(field, 2, choices, options, depthLeft)
      const other = choices.rarely(12) ? writeValue(field, 2, choices, options, depthLeft) : undefined
      const entry = other === undefined ? [key, value] : choices.pick([], [key], [value], [value, key], [key, value, other])
      parts.push(writeTag(field.number, 2), withLength(Buffer.concat(entry)))
    }
  }
  return Buffer.concat(parts)
}

/** A value of the field, or of the field's map, with its tag. */
function writeValue(
  field: DescField | DescExtension,
  number: number,
  choices: Choices,
  options: WireOptions,
  depthLeft: number,
): Buffer {
  const extraBytes = options.isWild && choices.rarely(30) ? 1 : 0
  const tag = (wireType: number): Buffer => varint(BigInt(number * 8 + wireType), extraBytes)
  if (field.message === undefined) {
    const type = field.scalar ?? ScalarType.INT32
    const value = writeScalar(type, choices, options)
    if (field.enum === undefined || !choices.rarely(2)) return Buffer.concat([tag(wireTypeOf(type)), value])
    return Buffer.concat([tag(0), varint(BigInt(choices.pick(...field.enum.values).number))])
  }
  const inner = writeMessage(field.message, choices, options, depthLeft - 1)
  const isGroup = 'delimitedEncoding' in field && field.delimitedEncoding === true
  return isGroup ? Buffer.concat([tag(3), inner, writeTag(number, 4)]) : Buffer.concat([tag(2), withLength(inner)])
}

function writeUnknown(desc: DescMessage, choices: Choices, { isWild }: WireOptions): Buffer {
  let number = choices.pick(50, 103, 1999, 19000, 536870910)
  while (desc.fields.some((field) => field.number === number)) number++
  const wireType = isWild ? choices.pick(0, 1, 2, 3, 5) : choices.pick(0, 1, 2, 5)
  return Buffer.concat([writeTag(number, wireType), unknownPayload(number, wireType)])
}

function unknownPayload(number: number, wireType: number): Buffer {
  switch (wireType) {
    case 0:
      return varint(300n, 12)
    case 2:
      return withLength(Buffer.from('\u00ffunknown'))
    case 3:
      return Buffer.concat([writeTag(1, 3), writeTag(7, 0), varint(1n), writeTag(1, 4), writeTag(number, 4)])
    default:
      return Buffer.alloc(wireType === 1 ? 8 : 4, 1)
  }
}

function writeScalar(type: ScalarType, choices: Choices, { isWild }: WireOptions): Buffer {
  if (type === ScalarType.STRING) {
    if (isWild && choices.rarely(25)) return withLength(Buffer.from(choices.pick(...brokenTexts), 'hex'))
    return withLength(Buffer.from(choices.pick(...texts, ...otherTexts)))
  }
  if (type === ScalarType.BYTES)
    return withLength(Buffer.from(choices.pick('', '00', 'ff', 'fffe', 'fbefbe', '01020304', 'ab'.repeat(600)), 'hex'))
  const bytes = Buffer.alloc(wireTypeOf(type) === 1 ? 8 : 4)
  if (type === ScalarType.DOUBLE) bytes.writeDoubleLE(choices.pick(...doubles))
  else if (type === ScalarType.FLOAT) bytes.writeFloatLE(choices.pick(...doubles))
  else {
    const value = choices.pick(...longs, ...otherLongs, ...nanos)
    if (wireTypeOf(type) === 0) return varint(value, isWild && choices.rarely(25) ? choices.below(6) : 0)
    if (bytes.length === 8) bytes.writeBigUInt64LE(BigInt.asUintN(64, value))
    else bytes.writeUInt32LE(Number(BigInt.asUintN(32, value)))
  }
  return bytes
}

function wireTypeOf(type: ScalarType): number {
  switch (type) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return 2
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return 1
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return 5
    default:
      return 0
  }
}

export function writeTag(number: number, wireType: number): Buffer {
  return varint(BigInt(number * 8 + wireType))
}

export function withLength(bytes: Buffer): Buffer {
  return Buffer.concat([varint(BigInt(bytes.length)), bytes])
}

/** A varint, with so many bytes more than needed. */
export function varint(value: bigint, extraBytes = 0): Buffer {
  const bytes: number[] = []
  let rest = BigInt.asUintN(64, value)
  while (rest > 127n) {
    bytes.push(Number(rest & 127n) | 128)
    rest >>= 7n
  }
  bytes.push(Number(rest))
  for (let left = extraBytes; left > 0; left--) {
    bytes[bytes.length - 1]! |= 128
    bytes.push(0)
  }
  return Buffer.from(bytes)
}

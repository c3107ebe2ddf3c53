import type { DescField, DescMessage } from '@bufbuild/protobuf'
import {
  DurationSchema,
  FieldMaskSchema,
  ListValueSchema,
  StructSchema,
  TimestampSchema,
  ValueSchema,
} from '@bufbuild/protobuf/wkt'
import type { MessageWriter } from './compile-message.ts'
import { writeFieldMask } from './write-field-mask.ts'
import { writeListValue, writeStruct, writeValue } from './write-struct.ts'
import { writeDuration, writeTimestamp } from './write-time.ts'

const writers: readonly (readonly [DescMessage, MessageWriter])[] = [
  [TimestampSchema, writeTimestamp],
  [DurationSchema, writeDuration],
  [FieldMaskSchema, writeFieldMask],
  [StructSchema, writeStruct],
  [ValueSchema, writeValue],
  [ListValueSchema, writeListValue],
]

/**
 * The writer of a message type that has a JSON form of its own: 'general' for what only the general decoder knows, 'wrapper'
 * for wrappers, undefined for all other types. The name alone decides, as in protobuf-es; but a schema may bring another
 * message under a well-known name.
 */
export function wellKnownWriter(desc: DescMessage): MessageWriter | 'general' | 'wrapper' | undefined {
  if (desc.typeName === 'google.protobuf.Any') return 'general'
  if (wrappers.has(desc.typeName)) return isWrapper(desc) ? 'wrapper' : 'general'
  for (const [known, writer] of writers) {
    if (known.typeName === desc.typeName) return hasSameFields(desc, known) ? writer : 'general'
  }
  return undefined
}

const wrappers = new Set(
  ['Double', 'Float', 'Int64', 'UInt64', 'Int32', 'UInt32', 'Bool', 'String', 'Bytes'].map(
    (type) => `google.protobuf.${type}Value`,
  ),
)

function isWrapper({ fields: [field, ...others] }: DescMessage): boolean {
  return others.length === 0 && field?.fieldKind === 'scalar' && field.name === 'value' && field.number === 1
}

function hasSameFields(one: DescMessage, other: DescMessage): boolean {
  const shape = (desc: DescMessage): string => JSON.stringify(desc.fields.map(fieldShape))
  return shape(one) === shape(other)
}

function fieldShape(field: DescField): unknown[] {
  const { number, name, fieldKind, scalar, presence } = field
  const isDelimited = 'delimitedEncoding' in field && field.delimitedEncoding
  const mapKey = field.fieldKind === 'map' ? field.mapKey : undefined
  return [
    number,
    name,
    fieldKind,
    scalar,
    mapKey,
    field.message?.typeName,
    field.enum?.typeName,
    field.oneof?.name,
    presence,
    isDelimited,
  ]
}

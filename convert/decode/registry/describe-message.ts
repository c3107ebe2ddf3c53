import type { MessageInitShape } from '@bufbuild/protobuf'
import {
  type DescriptorProtoSchema,
  type FieldDescriptorProtoSchema,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from '@bufbuild/protobuf/wkt'
import protobuf from 'protobufjs'

type Message = MessageInitShape<typeof DescriptorProtoSchema>
type Field = MessageInitShape<typeof FieldDescriptorProtoSchema>

/** The kind and the full name of a type that a field of the scope has. */
export type TypeFinder = (typeName: string, scope: string) => { readonly type: Type; readonly typeName?: string }

const scalars: Readonly<Record<string, Type>> = {
  double: Type.DOUBLE,
  float: Type.FLOAT,
  int32: Type.INT32,
  uint32: Type.UINT32,
  sint32: Type.SINT32,
  fixed32: Type.FIXED32,
  sfixed32: Type.SFIXED32,
  int64: Type.INT64,
  uint64: Type.UINT64,
  sint64: Type.SINT64,
  fixed64: Type.FIXED64,
  sfixed64: Type.SFIXED64,
  bool: Type.BOOL,
  string: Type.STRING,
  bytes: Type.BYTES,
}

/** A parsed message as its DescriptorProto. */
export function messageInit(message: protobuf.Type, fullName: string, find: TypeFinder): Message {
  const { name, nestedArray, extensions = [] } = message
  // Not those that an `extend` of this file puts into it.
  const fieldsArray = message.fieldsArray.filter((field) => field.declaringField === null)
  // Compilers put those that stand for `optional` behind the others.
  const oneofs = message.oneofsArray.toSorted((one, other) => Number(one.isProto3Optional) - Number(other.isProto3Optional))
  const maps = fieldsArray.filter((field) => field instanceof protobuf.MapField)
  return {
    name,
    field: fieldsArray.map((field) => fieldInit(field, fullName, find, oneofs)),
    nestedType: [
      ...nestedArray.flatMap((each) =>
        each instanceof protobuf.Type ? [messageInit(each, `${fullName}.${each.name}`, find)] : [],
      ),
      ...maps.map((field) => entryInit(field, fullName, find)),
    ],
    enumType: nestedArray.flatMap((each) => (each instanceof protobuf.Enum ? [enumInit(each)] : [])),
    oneofDecl: oneofs.map((each) => ({ name: each.name })),
    extensionRange: extensions
      .filter((range): range is number[] => Array.isArray(range))
      .map(([start, end]) => ({ start: start!, end: end! + 1 })),
  }
}

/** A parsed enum as its EnumDescriptorProto. */
export const enumInit = ({ name, values }: protobuf.Enum) => ({
  name,
  value: Object.entries(values).map(([value, number]) => ({ name: value, number })),
})

function fieldInit(field: protobuf.Field, scope: string, find: TypeFinder, oneofs: readonly protobuf.OneOf[]): Field {
  const { name, id, options } = field
  const isMap = field instanceof protobuf.MapField
  const oneofIndex = field.partOf === null ? -1 : oneofs.indexOf(field.partOf)
  return {
    ...{
      name,
      number: id,
      label: isMap || field.repeated ? Label.REPEATED : isRequired(field) ? Label.REQUIRED : Label.OPTIONAL,
    },
    ...(isMap ? { type: Type.MESSAGE, typeName: `.${scope}.${entryName(name)}` } : typeOf(field.type, scope, find)),
    ...(typeof options?.['json_name'] === 'string' && { jsonName: options['json_name'] }),
    ...(typeof options?.['packed'] === 'boolean' && { options: { packed: options['packed'] } }),
    ...(oneofIndex >= 0 && { oneofIndex, proto3Optional: oneofs[oneofIndex]!.isProto3Optional }),
  }
}

/** `field.required` says it only when all types are resolved. */
const isRequired = (field: protobuf.Field): boolean => (field as { readonly rule?: string }).rule === 'required'

const typeOf = (type: string, scope: string, find: TypeFinder): ReturnType<TypeFinder> =>
  Object.hasOwn(scalars, type) ? { type: scalars[type]! } : find(type, scope)

function entryInit({ name, keyType, type }: protobuf.MapField, scope: string, find: TypeFinder): Message {
  const label = Label.OPTIONAL
  return {
    name: entryName(name),
    field: [
      { name: 'key', number: 1, label, ...typeOf(keyType, scope, find) },
      { name: 'value', number: 2, label, ...typeOf(type, scope, find) },
    ],
    options: { mapEntry: true },
  }
}

/** As compilers name it. */
const entryName = (field: string): string =>
  `${field.replace(/(^|_)([a-z])/g, (_all, _start, letter: string) => letter.toUpperCase()).replaceAll('_', '')}Entry`

import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { type FileDescriptorSet, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { describe, expect, it } from 'vitest'
import { ProtobufDecodeSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { type DecodeLimits, defaultDecodeLimits } from './decode-limits.ts'
import { loadSchema, type Schema } from './load-schema.ts'
import { SchemaError } from './schema-error.ts'
import { buildDescriptorSet } from './testdata/build-schema.ts'

const descriptorSet = buildDescriptorSet()

interface Given {
  readonly descriptorSet?: Uint8Array
  readonly message?: string
  readonly limits?: Partial<DecodeLimits>
}

function load(given: Given): Schema {
  const decode = { descriptorSet: given.descriptorSet ?? descriptorSet, message: given.message ?? 'testdata.v1.Shapes' }
  return loadSchema(create(ProtobufDecodeSchema, decode), { ...defaultDecodeLimits, ...given.limits })
}

function schemaErrorOf(given: Given): { code: string; message: string } {
  try {
    load(given)
  } catch (error) {
    if (error instanceof SchemaError) return { code: error.code, message: error.message }
    throw error
  }
  throw new Error('did not throw')
}

/** The descriptor set with its files changed. */
function changed(change: (files: FileDescriptorSet['file']) => FileDescriptorSet['file']): Uint8Array {
  const set = fromBinary(FileDescriptorSetSchema, descriptorSet)
  return toBinary(FileDescriptorSetSchema, { ...set, file: change(set.file) })
}

/** The descriptor set with another number for the first field of Leaf. */
function withNumber(fieldNumber: number): Uint8Array {
  return changed((files) => {
    const leaf = files.find((file) => file.name === 'proto3.proto')?.messageType.find((message) => message.name === 'Leaf')
    leaf!.field[0]!.number = fieldNumber
    return files
  })
}

describe('a descriptor set', () => {
  it('may have its files in any order', () => {
    expect(load({ descriptorSet: changed((files) => files.reverse()) }).message.fields).not.toHaveLength(0)
  })

  it('need not have the JSON names of fields', () => {
    const withoutNames = changed((files) => {
      for (const file of files) for (const message of file.messageType) for (const field of message.field) field.jsonName = ''
      return files
    })
    const { message } = load({ descriptorSet: withoutNames, message: 'testdata.v1.Scalars' })
    expect(message.fields.map((field) => field.jsonName)).toContain('anInt32')
  })

  it.each<[string, Given, string, string]>([
    ['that is missing', { descriptorSet: new Uint8Array() }, 'DESCRIPTOR_SET_MISSING', 'buf build -o schema.binpb'],
    [
      'that does not parse',
      { descriptorSet: Buffer.from('syntax = "proto3";') },
      'DESCRIPTOR_SET_INVALID',
      'no valid google.protobuf.FileDescriptorSet',
    ],
    [
      'that lacks an import',
      { descriptorSet: changed((files) => files.filter((file) => file.name !== 'google/protobuf/struct.proto')) },
      'IMPORT_MISSING',
      'lacks google/protobuf/struct.proto, which proto3.proto imports',
    ],
    [
      'that imports itself',
      { descriptorSet: changed((files) => files.map((file) => ({ ...file, dependency: [file.name] }))) },
      'DESCRIPTOR_SET_INVALID',
      'imports itself',
    ],
    [
      'with a type that is not there',
      { descriptorSet: changed((files) => files.map((file) => ({ ...file, enumType: [] }))) },
      'DESCRIPTOR_SET_INVALID',
      'type_name .testdata.v',
    ],
    [
      'with a field number twice',
      { descriptorSet: withNumber(2) },
      'DESCRIPTOR_SET_INVALID',
      'field testdata.v1.Leaf.amount has the number 2 of another field',
    ],
    [
      'with a field number out of range',
      { descriptorSet: withNumber(2 ** 29) },
      'DESCRIPTOR_SET_INVALID',
      'field testdata.v1.Leaf.name has the number 536870912',
    ],
    [
      'with an enum without values',
      {
        descriptorSet: changed((files) =>
          files.map((file) => ({ ...file, enumType: file.enumType.map((each) => ({ ...each, value: [] })) })),
        ),
      },
      'DESCRIPTOR_SET_INVALID',
      'has no values',
    ],
    ['without the message', { message: 'testdata.v1.Shape' }, 'MESSAGE_NOT_FOUND', 'it has testdata.v1.Shapes'],
    ['with the message in another package', { message: 'acme.v1.Leaf' }, 'MESSAGE_NOT_FOUND', 'it has testdata.v1.Leaf'],
    ['of too many bytes', { limits: { schemaBytesMax: 1000 } }, 'SCHEMA_TOO_LARGE', 'at most 1000 are allowed'],
    ['of too many messages', { limits: { schemaMessagesMax: 5 } }, 'SCHEMA_TOO_LARGE', 'more than 5 message types'],
    ['of too many fields', { limits: { schemaFieldsMax: 50 } }, 'SCHEMA_TOO_LARGE', '50 fields and enum values'],
  ])('%s is refused', (_, given, code, message) => {
    const error = schemaErrorOf(given)
    expect(error.code).toBe(code)
    expect(error.message).toContain(message)
  })
})

import { readFileSync } from 'node:fs'
import { type DescField, fromBinary, type Registry } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { expect, it } from 'vitest'
import { defaultDecodeLimits } from '../decode-limits.ts'
import { buildRegistry } from '../load-schema.ts'
import { SchemaError } from '../schema-error.ts'
import { buildDescriptorSet } from '../testdata/build-schema.ts'
import { readFiles } from './read-files.ts'

/** All that decoding asks of types. */
function describe(registry: Registry): Record<string, unknown> {
  const described: Record<string, unknown> = {}
  for (const type of registry) {
    if (type.file.proto.package.startsWith('google.') || type.file.proto.package.startsWith('confluent')) continue
    if (type.kind === 'message')
      described[type.typeName] = [type.nestedMessages.map((each) => each.name), type.fields.map(fieldText)]
    if (type.kind === 'enum') described[type.typeName] = [type.open, type.values.map((each) => [each.name, each.number])]
  }
  return described
}

function fieldText(field: DescField): string {
  const { number, fieldKind, presence, oneof } = field
  // The parser leaves quotes out that are in a name.
  const jsonName = field.jsonName.replaceAll('"', '')
  const type = field.message?.typeName ?? field.enum?.typeName ?? field.scalar
  const list = fieldKind === 'list' ? [field.listKind, field.packed] : fieldKind === 'map' ? [field.mapKey, field.mapKind] : []
  const isDelimited = 'delimitedEncoding' in field && field.delimitedEncoding
  return [field.name, number, jsonName, fieldKind, type, presence, oneof?.name, list, isDelimited].join()
}

it.each(['proto2.proto', 'proto3.proto'])('reads %s as the compiler does', (name) => {
  const sources = ['proto3.proto', name].map((each) => ({
    name: each,
    schema: readFileSync(new URL(`../testdata/${each}`, import.meta.url), 'utf8'),
  }))
  const expected = describe(buildRegistry(fromBinary(FileDescriptorSetSchema, buildDescriptorSet()).file))
  const found = describe(readFiles(sources, defaultDecodeLimits).registry)
  expect(Object.keys(found).length).toBeGreaterThan(3)
  for (const [typeName, described] of Object.entries(found)) expect([typeName, described]).toEqual([typeName, expected[typeName]])
})

it('finds types from the innermost scope outwards, in imports, and by full names', () => {
  const other = { name: 'x/other.proto', schema: 'syntax = "proto3"; package x; message T { int32 a = 1; } enum E { E0 = 0; }' }
  const schema = `syntax = "proto3"; package x.y; import "x/other.proto"; import "google/protobuf/timestamp.proto";
    message M { T t = 1; x.E e = 2; .x.T f = 3; In.T i = 4; google.protobuf.Timestamp at = 5; map<string, T> some_map = 6;
      message In { message T { bool b = 1; } T t = 1; } }`
  const { file, registry } = readFiles([other, { name: 'm.proto', schema }], defaultDecodeLimits)
  expect(file.messages.map((each) => each.typeName)).toEqual(['x.y.M'])
  const types = registry.getMessage('x.y.M')!.fields.map((field) => field.message?.typeName ?? field.enum?.typeName)
  expect(types).toEqual(['x.T', 'x.E', 'x.T', 'x.y.M.In.T', 'google.protobuf.Timestamp', 'x.T'])
  expect(registry.getMessage('x.y.M.In')!.fields[0]!.message!.typeName).toBe('x.y.M.In.T')
})

it.each([
  ['no .proto file', 'message {', /^m.proto cannot be read: illegal type name '{' \(line 1\)/],
  [
    'an unknown type',
    'syntax = "proto3"; message M { X x = 1; }',
    /M has a field of type "X", which neither it nor an import has/,
  ],
  ['an edition', 'edition = "2023"; message M {}', /an edition can be read only where the registry has format=serialized/],
  ['a missing import', 'syntax = "proto3"; import "n.proto"; message M {}', /it lacks n.proto, which m.proto imports/],
  ['a number twice', 'syntax = "proto3"; message M { int32 a = 1; int32 b = 1; }', /duplicate id 1|number 1 of another field/],
])('refuses %s', (_what, schema, problem) => {
  const read = () => readFiles([{ name: 'm.proto', schema }], defaultDecodeLimits)
  expect(read).toThrow(SchemaError)
  expect(read).toThrow(problem)
})

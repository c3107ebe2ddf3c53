import { create, toBinary } from '@bufbuild/protobuf'
import {
  FileDescriptorProtoSchema,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
} from '@bufbuild/protobuf/wkt'
import { describe, expect, it } from 'vitest'
import { SchemaRegistryDecodeSchema } from '../../../proto/gen/ferry/v1/use_case_pb.ts'
import { DecodeError } from '../decode-error.ts'
import { defaultDecodeLimits } from '../decode-limits.ts'
import { type FetchedSchema, readRegistered } from './read-registered.ts'
import { registryDecoder } from './registry-decoder.ts'
import { SchemaPending } from './schema-source.ts'

const limits = defaultDecodeLimits
const head = (id: number): Buffer => Buffer.from([0, id >> 24, id >> 16, id >> 8, id])
const value = (id: number, hex: string): Buffer => Buffer.concat([head(id), Buffer.from(hex.replaceAll(' ', ''), 'hex')])
const avro = (schema: unknown, references: FetchedSchema['references'] = []): FetchedSchema => ({
  schemaType: 'AVRO',
  schema: JSON.stringify(schema),
  references,
})

/** Bodies of values by these schemas. */
function decoderOf(schemas: Record<number, FetchedSchema>, options = {}) {
  const find = (id: number) => readRegistered(schemas[id]!, id, limits)
  const decode = registryDecoder(create(SchemaRegistryDecodeSchema, options), { find }, limits)
  return (bytes: Buffer): string => decode(bytes).toString()
}

function errorOf(work: () => string): string {
  try {
    return `no error: ${work()}`
  } catch (error) {
    if (error instanceof DecodeError) return `${error.code}: ${error.message}`
    throw error
  }
}

const field = (name: string, number: number, type: Type, typeName = '') => ({
  name,
  number,
  type,
  typeName,
  label: Label.OPTIONAL,
})

/** A file with the messages First, Second (in it a map, Inner, Last) and what they import. */
const file = (name: string, dependency: readonly string[] = [], more: object = {}): string =>
  Buffer.from(
    toBinary(
      FileDescriptorProtoSchema,
      create(FileDescriptorProtoSchema, {
        ...{ name, package: 'shop', syntax: 'proto3', dependency: [...dependency] },
        messageType: [
          { name: 'First', field: [field('id', 1, Type.INT64)] },
          {
            name: 'Second',
            field: [{ ...field('m', 1, Type.MESSAGE, '.shop.Second.MEntry'), label: Label.REPEATED }],
            nestedType: [
              {
                name: 'MEntry',
                field: [field('key', 1, Type.STRING), field('value', 2, Type.STRING)],
                options: { mapEntry: true },
              },
              { name: 'Inner', field: [field('text', 1, Type.STRING)] },
              { name: 'Last', field: [field('flag', 1, Type.BOOL)] },
            ],
          },
        ],
        ...more,
      }),
    ),
  ).toString('base64')
const protobuf = (schema: string, references: FetchedSchema['references'] = []): FetchedSchema => ({
  ...{ schemaType: 'PROTOBUF', schema, references },
})

describe('a value with the id of an Avro schema', () => {
  it('is the datum behind the id', () => {
    const record = { type: 'record', name: 'A', fields: [{ name: 'id', type: 'long' }] }
    expect(decoderOf({ 7: avro(record) })(value(7, '06'))).toBe('{"id":"3"}')
    expect(decoderOf({ 7: avro(record) }, { avroOptions: { longAsNumber: true } })(value(7, '06'))).toBe('{"id":3}')
    const decode = decoderOf({ 16909060: avro('string'), 1: avro('int') })
    expect([decode(value(0x01020304, '0261')), decode(value(1, '02')), decode(value(0x01020304, '0262'))]).toEqual([
      '"a"',
      '1',
      '"b"',
    ])
  })

  it('is the bytes themselves where they are all of it, as Confluent writes them', () => {
    expect(decoderOf({ 1: avro('bytes') })(value(1, '00ff'))).toBe('"AP8="')
    expect(decoderOf({ 1: avro({ type: 'bytes' }) })(value(1, ''))).toBe('""')
  })

  it('may need types of other schemas, each read once, however often it is referred to', () => {
    const money = avro({ type: 'record', name: 'x.Money', fields: [{ name: 'cents', type: 'int' }] })
    const line = avro({ type: 'record', name: 'x.Line', fields: [{ name: 'price', type: 'x.Money' }] }, [
      { name: 'x.Money', schema: money },
    ])
    const order = avro(
      {
        type: 'record',
        name: 'x.Order',
        fields: [
          { name: 'line', type: 'Line' },
          { name: 'sum', type: 'Money' },
        ],
      },
      [
        { name: 'x.Line', schema: line },
        { name: 'x.Money', schema: money },
      ],
    )
    expect(decoderOf({ 1: order })(value(1, '0a 0c'))).toBe('{"line":{"price":{"cents":5}},"sum":{"cents":6}}')
  })
})

describe('a value with the id of a protobuf schema', () => {
  const decode = decoderOf({ 1: protobuf(file('a.proto')) })

  it('says by indexes which message it is; a single 0 means the first', () => {
    expect(decode(value(1, '00 0805'))).toBe('{"id":"5"}')
    expect(decode(value(1, '02 00 0805'))).toBe('{"id":"5"}')
    expect(decode(value(1, '02 02'))).toBe('{}')
    expect(decode(value(1, '04 02 00 0a0161'))).toBe('{"text":"a"}')
    // Entries of maps are no messages that can be named.
    expect(decode(value(1, '04 02 02 0801'))).toBe('{"flag":true}')
  })

  it('is refused when its indexes lead nowhere', () => {
    expect(errorOf(() => decode(value(1, '')))).toBe('NOT_PROTOBUF: no message index at byte 5')
    expect(errorOf(() => decode(value(1, '02 04')))).toBe('NOT_PROTOBUF: the schema has no message of index 2, where it has 2')
    expect(errorOf(() => decode(value(1, '04 00 00')))).toContain('no message of index 0, where it has 0')
    expect(errorOf(() => decode(value(1, '02 01')))).toContain('a message index that is none at byte 6')
    expect(errorOf(() => decode(value(1, '01')))).toContain('a message index that is none at byte 5')
    expect(errorOf(() => decode(value(1, '8001')))).toContain('64 message indexes, at most 32 can be')
    expect(errorOf(() => decode(value(1, '00 0a')))).toMatch(/^NOT_PROTOBUF: no shop.First/)
  })

  it('is printed by its options', () => {
    const printed = decoderOf({ 1: protobuf(file('a.proto')) }, { protobufOptions: { alwaysEmitImplicit: true } })
    expect(printed(value(1, '00'))).toBe('{"id":"0"}')
  })

  it('finds what it imports: references by their names, and what every registry has', () => {
    const inner = create(FileDescriptorProtoSchema, { package: 'x', syntax: 'proto3', messageType: [{ name: 'X', field: [field('at', 1, Type.MESSAGE, '.google.protobuf.Timestamp')] }], dependency: ['google/protobuf/timestamp.proto'] }) // biome-ignore format: one line
    const reference = {
      name: 'x/x.proto',
      schema: protobuf(Buffer.from(toBinary(FileDescriptorProtoSchema, inner)).toString('base64')),
    }
    const messageType = [
      { name: 'A', field: [field('x', 1, Type.MESSAGE, '.x.X'), field('money', 2, Type.MESSAGE, '.google.type.Money'), field('d', 3, Type.MESSAGE, '.confluent.type.Decimal')] },
    ] // biome-ignore format: one line
    const dependency = ['x/x.proto', 'google/type/money.proto', 'confluent/type/decimal.proto']
    const schema = protobuf(file('', dependency, { messageType }), [reference])
    expect(decoderOf({ 1: schema })(value(1, '00 0a04 0a020801 1203 0a0145 1a02 1805'))).toBe(
      '{"x":{"at":"1970-01-01T00:00:01Z"},"money":{"currencyCode":"E"},"d":{"scale":5}}',
    )
  })

  it('is read from its text where the registry gives no more', () => {
    const text = decoderOf({
      1: protobuf('syntax = "proto3"; message A {} message B { map<string, int64> m = 1; message C { optional bool b = 1; } }'),
    })
    expect([text(value(1, '00')), text(value(1, '0202 0a050a01611003')), text(value(1, '040200 0800'))]).toEqual([
      '{}',
      '{"m":{"a":"3"}}',
      '{"b":false}',
    ])
  })

  it('is refused when an import is missing, or what the registry gives is nothing', () => {
    const lacking = decoderOf({ 1: protobuf(file('a.proto', ['b.proto'])) })
    expect(errorOf(() => lacking(value(1, '00')))).toBe(
      'SCHEMA_UNUSABLE: schema 1 cannot be used: the schema is wrong: it lacks b.proto, which schema-1.proto imports',
    )
    expect(errorOf(() => decoderOf({ 1: protobuf('AAAA') })(value(1, '00')))).toContain(
      'schema-1.proto is no FileDescriptorProto',
    )
  })
})

it('a value with the id of a JSON schema is the JSON behind it, byte by byte', () => {
  const decode = decoderOf({ 1: { schemaType: 'JSON', schema: '{"type":"object"}', references: [] } })
  expect(decode(Buffer.concat([head(1), Buffer.from(' {"a": 1.0} ')]))).toBe(' {"a": 1.0} ')
  expect(errorOf(() => decode(Buffer.concat([head(1), Buffer.from('{')])))).toMatch(/^NOT_JSON/)
})

it('a value without an id is refused, and so is a schema that cannot be used', () => {
  const decode = decoderOf({ 1: avro('strin'), 2: { schemaType: 'XML', schema: '', references: [] } })
  expect(errorOf(() => decode(Buffer.from('{"a":1}')))).toBe(
    'NO_SCHEMA_ID: no schema id: a value begins with byte 0 and an id of four bytes; this one begins with byte 123',
  )
  expect(errorOf(() => decode(Buffer.alloc(0)))).toContain('this one is empty')
  expect(errorOf(() => decode(Buffer.alloc(4)))).toContain('this one has 4 bytes')
  expect(errorOf(() => decode(value(1, '')))).toMatch(
    /^SCHEMA_UNUSABLE: schema 1 cannot be used: the Avro schema is wrong: there is no type "strin"/,
  )
  expect(errorOf(() => decode(value(2, '')))).toContain('it is of type "XML", and Ferry reads AVRO, PROTOBUF and JSON')
})

it('asks for a schema again as long as it is not there, then no more', () => {
  let asked = 0
  const pending = new SchemaPending(Promise.resolve(), () => undefined)
  const find = (id: number) => {
    if (++asked < 3) throw pending
    return readRegistered(avro('int'), id, limits)
  }
  const decode = registryDecoder(create(SchemaRegistryDecodeSchema), { find }, limits)
  expect(() => decode(value(1, '02'))).toThrow(pending)
  expect(() => decode(value(1, '02'))).toThrow(pending)
  expect([decode(value(1, '02')).toString(), decode(value(1, '04')).toString(), asked]).toEqual(['1', '2', 3])
})

import avro from 'avsc'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { DecodeError } from '../decode-error.ts'
import { defaultDecodeLimits } from '../decode-limits.ts'
import { avroSample } from '../testdata/avro-sample.ts'
import { choices } from '../testdata/choices.ts'
import { avroDecoder } from './avro-decoder.ts'
import { type AvroOptions, defaultAvroOptions } from './avro-options.ts'
import { readAvroSchema } from './read-avro-schema.ts'

const limits = { ...defaultDecodeLimits, jsonDepthMax: 50, bodyBytesMax: 100_000 }

/** The body of a value of a schema; the value as hexadecimal digits. */
function bodyOf(schema: unknown, hex: string | Buffer, options: Partial<AvroOptions> = {}): string {
  const type = readAvroSchema(JSON.stringify(schema), limits)
  const value = typeof hex === 'string' ? Buffer.from(hex.replaceAll(' ', ''), 'hex') : hex
  return avroDecoder(type, limits, { ...defaultAvroOptions, ...options })(value).toString()
}

function errorOf(schema: unknown, hex: string | Buffer): string {
  try {
    return `no error: ${bodyOf(schema, hex)}`
  } catch (error) {
    if (error instanceof DecodeError) return `${error.code}: ${error.message}`
    throw error
  }
}

const record = (...fields: [name: string, type: unknown][]) => ({
  type: 'record',
  name: 'acme.Order',
  fields: fields.map(([name, type]) => ({ name, type })),
})
const logical = (type: string, logicalType: string, more = {}) => ({ type, logicalType, name: 'F', ...more })

it('prints whatever another implementation has written', () => {
  fc.assert(
    fc.property(choices, (each) => {
      const { schema, value, json } = avroSample(each)
      const written = avro.Type.forSchema(schema as avro.Schema, { wrapUnions: 'always' }).toBuffer(value)
      expect(JSON.parse(bodyOf(schema, written))).toEqual(json)
    }),
    { numRuns: 500 },
  )
})

it('refuses whatever is cut off or goes on, and never fails otherwise', () => {
  fc.assert(
    fc.property(choices, fc.nat(), fc.nat(255), (each, at, byte) => {
      const { schema, value } = avroSample(each)
      const written = avro.Type.forSchema(schema as avro.Schema, { wrapUnions: 'always' }).toBuffer(value)
      if (written.length > 0) expect(errorOf(schema, written.subarray(0, at % written.length))).toMatch(/^NOT_AVRO/)
      expect(errorOf(schema, Buffer.concat([written, Buffer.of(byte)]))).toMatch(/^NOT_AVRO.* 1 more bytes follow/)
      if (written.length === 0) return
      written[at % written.length] = byte
      expect(errorOf(schema, written)).toMatch(/^(NOT_AVRO|BODY_TOO_LARGE|no error)/)
    }),
    { numRuns: 500 },
  )
})

it.each([
  ['a long of 64 bits', 'long', 'ffffffffffffffffff01', '"-9223372036854775808"'],
  ['what JSON has no number for', 'double', '000000000000f87f', '"NaN"'],
  ['a decimal', logical('bytes', 'decimal', { precision: 9, scale: 2 }), '0403e8', '"10.00"'],
  ['a negative decimal below one', logical('bytes', 'decimal', { precision: 9, scale: 3 }), '02ff', '"-0.001"'],
  ['a decimal in a fixed', logical('fixed', 'decimal', { size: 3, precision: 5 }), 'ffff85', '"-123"'],
  [
    'a decimal whose scale is above its precision as bytes',
    logical('bytes', 'decimal', { precision: 1, scale: 2 }),
    '0205',
    '"BQ=="',
  ],
  [
    'a uuid',
    logical('fixed', 'uuid', { size: 16 }),
    '00112233445566778899aabbccddeeff',
    '"00112233-4455-6677-8899-aabbccddeeff"',
  ],
  ['a date', logical('int', 'date'), 'c0b802', '"2024-10-04"'],
  ['a date before 1970', logical('int', 'date'), '01', '"1969-12-31"'],
  ['a time of day', logical('int', 'time-millis'), 'feefb252', '"23:59:59.999"'],
  ['a time of day in microseconds', logical('long', 'time-micros'), '02', '"00:00:00.000001"'],
  ['a timestamp', logical('long', 'timestamp-millis'), '00', '"1970-01-01T00:00:00Z"'],
  ['a timestamp before 1970', logical('long', 'timestamp-micros'), '01', '"1969-12-31T23:59:59.999999Z"'],
  ['a timestamp in nanoseconds', logical('long', 'timestamp-nanos'), '02', '"1970-01-01T00:00:00.000000001Z"'],
  ['a local timestamp', logical('long', 'local-timestamp-millis'), 'd00f', '"1970-01-01T00:00:01"'],
  ['a duration', logical('fixed', 'duration', { size: 12 }), '01000000 02000000 dc050000', '"P1M2DT1.500S"'],
  ['a logical type that is unknown as what it stands on', logical('int', 'era'), '02', '1'],
  ['a logical type that does not fit as what it stands on', logical('string', 'date'), '0261', '"a"'],
  ['blocks whose bytes are counted', { type: 'array', items: 'int' }, '03 04 02 04 00', '[1,2]'],
  ['an empty record', record(), '', '{}'],
])('prints %s', (_what, schema, hex, json) => {
  expect(bodyOf(schema, hex)).toBe(json)
})

it('prints by its options', () => {
  expect(bodyOf('long', 'ffffffffffffffffff01', { longAsNumber: true })).toBe('-9223372036854775808')
  const union = record(['a', ['null', 'string']], ['b', ['null', 'string']], ['c', [record2, 'null']])
  expect(bodyOf(union, '00 020261 0002', { wrapUnions: true })).toBe('{"a":null,"b":{"string":"a"},"c":{"acme.Inner":{"x":1}}}')
  expect(bodyOf(union, '00 020261 0002')).toBe('{"a":null,"b":"a","c":{"x":1}}')
  expect(bodyOf(logical('long', 'timestamp-millis'), '02', { plainLogicalTypes: true })).toBe('"1"')
  expect(bodyOf(logical('bytes', 'decimal', { precision: 3 }), '0205', { plainLogicalTypes: true })).toBe('"BQ=="')
})

const record2 = { type: 'record', name: 'Inner', fields: [{ name: 'x', type: 'int' }] }

it.each([
  ['a place', record(['a', 'int'], ['b', record2]), '02', 'NOT_AVRO: no acme.Order: cut off at byte 1, in b.x'],
  ['an int of more than 32 bits', 'int', '8080808010', 'NOT_AVRO: no int: 2147483648 is no int at byte 0'],
  ['a varint without an end', 'long', 'ff'.repeat(11), 'NOT_AVRO: no long: a number without an end at byte 0'],
  ['a negative length', 'string', '01', 'NOT_AVRO: no string: a length of -1 at byte 0'],
  ['a length beyond the value', 'bytes', '0a6162', 'NOT_AVRO: no bytes: 5 bytes are announced, 2 follow at byte 1'],
  ['a text that is no UTF-8', 'string', '02ff', 'NOT_AVRO: no string: no UTF-8 at byte 1'],
  ['no boolean', 'boolean', '02', 'NOT_AVRO: no boolean: 2 is no boolean at byte 0'],
  ['no symbol', { type: 'enum', name: 'E', symbols: ['A'] }, '02', 'NOT_AVRO: no E: E has no symbol 1 at byte 0'],
  ['no branch', ['null', 'int'], '04', 'NOT_AVRO: no union: the union has no branch 2 at byte 0'],
  [
    'a key twice',
    { type: 'map', values: 'int' },
    '04 0261 02 0261 04 00',
    'NOT_AVRO: no map: a key of a map comes twice at byte 4',
  ],
  ['a time that has no form', logical('long', 'timestamp-millis'), 'feffffffffffffffff01', 'plain_logical_types at byte 0'],
  ['a time of day of more than a day', logical('int', 'time-millis'), '80f0b252', 'a time of day of 86400 s at byte 0'],
  ['a decimal that is too long', logical('bytes', 'decimal', { precision: 3 }), '8240', 'a decimal of 4097 bytes'],
])('says of %s what is wrong and where', (_what, schema, hex, error) => {
  expect(errorOf(schema, hex)).toContain(error)
})

it('takes neither time nor memory beyond its limits, whatever a few bytes announce', () => {
  const many = 'feffffffffffffffff01'
  expect(errorOf({ type: 'array', items: 'null' }, many)).toMatch(/^BODY_TOO_LARGE/)
  expect(errorOf({ type: 'array', items: record() }, many)).toMatch(/^BODY_TOO_LARGE/)
  expect(errorOf({ type: 'array', items: { type: 'array', items: 'null' } }, many)).toMatch(/^NOT_AVRO/)
  const list = { type: 'record', name: 'L', fields: [{ name: 'next', type: ['null', 'L'] }] }
  expect(bodyOf(list, '02 02 00')).toBe('{"next":{"next":{"next":null}}}')
  expect(errorOf(list, Buffer.alloc(100, 2))).toMatch(/^NESTED_TOO_DEEP/)
  const self = { type: 'record', name: 'S', fields: [{ name: 's', type: 'S' }] }
  expect(errorOf(self, '')).toMatch(/^NESTED_TOO_DEEP/)
})

it('gives bodies of any size, up to its limit', () => {
  for (const length of [0, 70_000, 99_998]) {
    const value = avro.Type.forSchema('string').toBuffer('x'.repeat(length))
    expect(bodyOf('string', value)).toHaveLength(length + 2)
  }
  expect(errorOf('string', avro.Type.forSchema('string').toBuffer('x'.repeat(99_999)))).toMatch(/^BODY_TOO_LARGE/)
})

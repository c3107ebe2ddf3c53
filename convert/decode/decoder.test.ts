import { create } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'
import { DecodeSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { DecodeError } from './decode-error.ts'
import { type DecodeLimits, defaultDecodeLimits } from './decode-limits.ts'
import { compileDecoder, type Decoder } from './decoder.ts'
import { SchemaError } from './schema-error.ts'
import { buildDescriptorSet } from './testdata/build-schema.ts'
import { varint, withLength, writeTag } from './testdata/write-wire.ts'

const descriptorSet = buildDescriptorSet()

interface Given {
  readonly message?: string
  readonly limits?: Partial<DecodeLimits>
}

function protobuf(given: Given): Decoder {
  const value = { descriptorSet, message: given.message ?? 'testdata.v1.Shapes' }
  const decode = create(DecodeSchema, { format: { case: 'protobuf', value } })
  return compileDecoder(decode, { ...defaultDecodeLimits, ...given.limits })
}

function decodeErrorOf(decode: Decoder, value: Buffer): { code: string; offset: number | undefined; message: string } {
  try {
    decode(value)
  } catch (error) {
    if (error instanceof DecodeError) return { code: error.code, offset: error.offset, message: error.message }
    throw error
  }
  throw new Error('did not throw')
}

const text = (number: number, value: string | Buffer): Buffer =>
  Buffer.concat([writeTag(number, 2), withLength(Buffer.from(value))])
const number = (field: number, value: number): Buffer => Buffer.concat([writeTag(field, 0), varint(BigInt(value))])

describe('a decoder', () => {
  it('passes JSON through as it came', () => {
    const decode = compileDecoder(create(DecodeSchema, { format: { case: 'json', value: {} } }), defaultDecodeLimits)
    const value = Buffer.from(' {"b": 1,\n "a": 1.0e0} ')
    expect(decode(value)).toBe(value)
    expect(() => decode(Buffer.from('{'))).toThrow(DecodeError)
  })

  it('prints a protobuf message as canonical JSON', () => {
    const decode = protobuf({ message: 'testdata.v1.WellKnown' })
    const time = text(1, Buffer.concat([number(1, 1764000000), number(2, 120_000_000)]))
    const duration = text(2, Buffer.concat([number(1, -3), number(2, -1)]))
    const mask = text(6, Buffer.concat([text(1, 'spec.max_retries'), text(1, 'name')]))
    const large = text(10, number(1, -2))
    const bytes = text(16, text(1, Buffer.from([0xfb, 0xff])))
    expect(decode(Buffer.concat([bytes, large, mask, duration, time])).toString()).toBe(
      '{"time":"2025-11-24T16:00:00.120Z","duration":"-3.000000001s","mask":"spec.maxRetries,name","anInt64":"-2","someBytes":"+/8="}',
    )
  })

  it('prints what is inside of an Any, when the descriptor set has its type', () => {
    const decode = protobuf({ message: 'testdata.v1.WithAny' })
    const any = (type: string): Buffer =>
      Buffer.concat([text(1, 'a'), text(2, Buffer.concat([text(1, type), text(2, text(1, 'leaf'))]))])
    expect(decode(any('type.googleapis.com/testdata.v1.Leaf')).toString()).toBe(
      '{"name":"a","any":{"name":"leaf","@type":"type.googleapis.com/testdata.v1.Leaf"}}',
    )
    expect(decodeErrorOf(decode, any('type.googleapis.com/x.Y')).message).toContain(
      '"type.googleapis.com/x.Y" is not in the type registry',
    )
  })

  it('merges a message that comes in parts', () => {
    const name = text(1, 'a')
    const amount = number(2, 7)
    const shapes = protobuf({ message: 'testdata.v1.Shapes' })
    expect(shapes(Buffer.concat([text(10, name), text(10, amount)])).toString()).toBe('{"leaf":{"name":"a","amount":"7"}}')
    const maps = protobuf({ message: 'testdata.v1.Maps' })
    const entry = Buffer.concat([text(1, 'key'), text(2, name), text(2, amount)])
    expect(maps(text(13, entry)).toString()).toBe('{"leaves":{"key":{"name":"a","amount":"7"}}}')
  })

  it('gives every record a body of its own', () => {
    const decode = protobuf({ message: 'testdata.v1.Leaf' })
    const first = decode(text(1, 'first'))
    decode(text(1, 'other'))
    expect(first.toString()).toBe('{"name":"first"}')
  })

  it('gives bodies of any size, one after the other', () => {
    const decode = protobuf({ message: 'testdata.v1.Leaf' })
    for (const length of [0, 1, 70_000, 5_000_000, 10, 1_000_000]) {
      const name = 'x'.repeat(length)
      expect(decode(text(1, name)).toString()).toBe(length === 0 ? '{}' : `{"name":"${name}"}`)
      const escaped = '\n'.repeat(length)
      expect(decode(text(1, escaped)).toString()).toBe(length === 0 ? '{}' : `{"name":${JSON.stringify(escaped)}}`)
    }
  })

  it('needs a format', () => {
    expect(() => compileDecoder(create(DecodeSchema), defaultDecodeLimits)).toThrow(SchemaError)
  })
})

describe('a value that is not the message', () => {
  const decode = protobuf({})
  const leaf = Buffer.concat([text(1, 'name'), number(2, 7)])

  it.each<[string, Buffer, string, number]>([
    [
      'a field that is cut off',
      Buffer.concat([number(1, 1), text(300, 'abc').subarray(0, 5)]),
      '3 bytes are announced, 2 follow',
      2,
    ],
    [
      'text that is no UTF-8',
      Buffer.concat([number(1, 1), text(10, text(1, Buffer.from([0xff])))]),
      'no UTF-8 at byte 4, in leaf.name',
      4,
    ],
    [
      'a group of another type',
      Buffer.concat([number(1, 1), Buffer.from([0x0c])]),
      'group 1 ends, which has not begun at byte 2',
      2,
    ],
    ['field 0', Buffer.from([0x02, 0x00]), 'no tag at byte 0', 0],
    ['a varint without an end', Buffer.concat([number(1, 1), Buffer.alloc(12, 0xff)]), 'at byte 2', 2],
    [
      'a wrong wire type in a list',
      text(8, text(10, text(2, 'x'.repeat(9)))),
      'wire type 2 instead of 0 at byte 4, in selves.leaf.amount',
      4,
    ],
  ])('names the place of %s', (_, value, message, offset) => {
    const around = Buffer.concat([leaf, value, leaf]).subarray(leaf.length, leaf.length + value.length)
    const error = decodeErrorOf(decode, around)
    expect(error).toMatchObject({ code: 'NOT_PROTOBUF', offset })
    expect(error.message).toMatch(/^no testdata\.v1\.Shapes: /)
    expect(error.message).toContain(message)
  })

  it.each<[string, string, Buffer]>([
    ['a message', 'testdata.v1.Shapes', text(8, Buffer.from([0x52, 0x04]))],
    ['a map entry', 'testdata.v1.Maps', text(1, Buffer.from([0x0a, 0x04]))],
    ['a message in a map', 'testdata.v1.Maps', text(13, Buffer.from([0x12, 0x04]))],
    ['an entry of a struct', 'testdata.v1.WellKnown', text(3, Buffer.from([0x0a, 0x04]))],
    ['an element of a list', 'testdata.v1.WellKnown', text(5, Buffer.from([0x0a, 0x04]))],
    ['a path of a mask', 'testdata.v1.WellKnown', text(6, Buffer.from([0x0a, 0x04]))],
  ])('may not have %s that reaches into what follows', (_, message, value) => {
    const decodeIt = protobuf({ message })
    expect(decodeErrorOf(decodeIt, Buffer.concat([value, number(500, 0), number(500, 0)])).message).toContain(
      '4 bytes are announced, 0 follow',
    )
  })

  it('may not have packed numbers that are cut off', () => {
    const lists = protobuf({ message: 'testdata.v1.Lists' })
    for (const field of [1, 2, 3, 9, 12]) {
      for (let length = 1; length < 8; length++) {
        const value = text(field, Buffer.alloc(length, 0xff))
        if (field > 1 && field !== 3 && field !== 12 && length === 4) expect(lists(value).length).toBeGreaterThan(10)
        else expect(decodeErrorOf(lists, value)).toMatchObject({ code: 'NOT_PROTOBUF', offset: 0 })
      }
    }
  })

  it('may not have deeper values of a struct than the limit', () => {
    const list = protobuf({ message: 'google.protobuf.ListValue', limits: { messageDepthMax: 21 } })
    const nested = (levels: number): Buffer => (levels === 1 ? Buffer.alloc(0) : text(1, text(6, nested(levels - 1))))
    expect(list(nested(11)).toString()).toBe(`${'['.repeat(11)}${']'.repeat(11)}`)
    expect(decodeErrorOf(list, nested(12))).toMatchObject({ code: 'NESTED_TOO_DEEP' })
    const struct = protobuf({ message: 'google.protobuf.Struct', limits: { messageDepthMax: 21 } })
    const nestedStruct = (levels: number): Buffer =>
      levels === 1 ? Buffer.alloc(0) : text(1, Buffer.concat([text(1, 'a'), text(2, text(5, nestedStruct(levels - 1)))]))
    expect(struct(nestedStruct(11)).toString()).toBe(`${'{"a":'.repeat(10)}{}${'}'.repeat(10)}`)
    expect(decodeErrorOf(struct, nestedStruct(12))).toMatchObject({ code: 'NESTED_TOO_DEEP' })
  })

  it('may not have a field of another type inside of an Any', () => {
    const decodeAny = protobuf({ message: 'testdata.v1.WithAny' })
    const any = text(2, Buffer.concat([text(1, 'type.googleapis.com/testdata.v1.Leaf'), text(2, text(2, 'x'.repeat(9)))]))
    expect(decodeErrorOf(decodeAny, any)).toMatchObject({ code: 'NOT_PROTOBUF', offset: any.length - 11 })
    expect(decodeErrorOf(decodeAny, any).message).toContain('wire type 2 instead of 0')
  })

  it('says what has no JSON form', () => {
    const time = protobuf({ message: 'google.protobuf.Timestamp' })
    expect(decodeErrorOf(time, number(2, -1))).toMatchObject({ code: 'NOT_PROTOBUF', offset: undefined })
    expect(decodeErrorOf(time, number(2, -1)).message).toContain('nanos must not be negative')
  })

  it('may not be deeper than the limit', () => {
    const nested = (levels: number): Buffer => (levels === 1 ? Buffer.alloc(0) : text(7, nested(levels - 1)))
    const shallow = protobuf({ limits: { messageDepthMax: 20 } })
    expect(shallow(nested(20)).toString()).toBe(`${'{"self":'.repeat(19)}{}${'}'.repeat(19)}`)
    expect(decodeErrorOf(shallow, nested(21))).toMatchObject({ code: 'NESTED_TOO_DEEP' })
    const deepest = protobuf({ limits: { messageDepthMax: 1000 } })
    expect(deepest(nested(1000)).length).toBe(999 * 9 + 2)
    expect(decodeErrorOf(deepest, nested(1001))).toMatchObject({ code: 'NESTED_TOO_DEEP' })
  })

  it('may not have a larger body than the limit', () => {
    const limited = protobuf({ message: 'testdata.v1.Lists', limits: { bodyBytesMax: 1_000_000 } })
    const ofEnums = (count: number): Buffer => text(16, Buffer.alloc(count, 1))
    expect(limited(ofEnums(60_000)).length).toBe(60_000 * '"STATUS_PAID",'.length + '{"statuses":[]}'.length - 1)
    expect(decodeErrorOf(limited, ofEnums(80_000))).toMatchObject({ code: 'BODY_TOO_LARGE' })
    expect(
      decodeErrorOf(protobuf({ message: 'testdata.v2.Grouped', limits: { bodyBytesMax: 10 } }), text(1, 'a longer name')),
    ).toMatchObject({
      code: 'BODY_TOO_LARGE',
    })
  })
})

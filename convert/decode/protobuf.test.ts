import { createFileRegistry, type DescMessage, fromBinary, toBinary, toJsonString } from '@bufbuild/protobuf'
import { BinaryReader } from '@bufbuild/protobuf/wire'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compileProtoJson } from './compiled/compile-proto-json.ts'
import { DecodeError } from './decode-error.ts'
import { defaultDecodeLimits } from './decode-limits.ts'
import { faultFinder } from './find-fault.ts'
import type { JsonOptions } from './json-options.ts'
import { protobufDecoder } from './protobuf.ts'
import { buildDescriptorSet } from './testdata/build-schema.ts'
import { choices } from './testdata/choices.ts'
import { withLength, writeMessage, writeTag } from './testdata/write-wire.ts'

const limits = defaultDecodeLimits
const registry = createFileRegistry(fromBinary(FileDescriptorSetSchema, buildDescriptorSet()))
const extensions = [...registry].filter((type) => type.kind === 'extension')

/** Types whose every ordinary message the compiled form takes. */
const compiledTypes = [
  ...['testdata.v1.Scalars', 'testdata.v1.OptionalScalars', 'testdata.v1.Lists', 'testdata.v1.Maps', 'testdata.v1.WellKnown'],
  ...['testdata.v1.Shapes', 'testdata.v1.Nothing', 'testdata.v2.Legacy', 'testdata.v2.Required', 'testdata.v3.Plain'],
  ...['google.protobuf.Timestamp', 'google.protobuf.Duration', 'google.protobuf.Struct', 'google.protobuf.BoolValue'],
]
const otherTypes = [
  ...['testdata.v1.WithAny', 'testdata.v2.Grouped', 'testdata.v2.Extended', 'testdata.v3.Featured'],
  ...[
    'google.protobuf.Any',
    'google.protobuf.FieldMask',
    'google.protobuf.Value',
    'google.protobuf.ListValue',
    'google.protobuf.Empty',
  ],
  ...['google.protobuf.StringValue', 'google.protobuf.BytesValue', 'google.protobuf.DoubleValue', 'google.protobuf.UInt64Value'],
]

function typeOf(name: string): DescMessage {
  const desc = registry.getMessage(name)
  if (desc === undefined) throw new Error(`no ${name}`)
  return desc
}

const jsonOptions = fc.record<JsonOptions>({
  alwaysEmitImplicit: fc.boolean(),
  enumAsInteger: fc.boolean(),
  useProtoFieldName: fc.boolean(),
})

/** What protobuf-es makes of the value; undefined when it throws. */
function reference(desc: DescMessage, value: Uint8Array): string | undefined {
  try {
    return toJsonString(desc, fromBinary(desc, value), { registry })
  } catch {
    return undefined
  }
}

function decoderOf(desc: DescMessage, options?: JsonOptions): (value: Buffer) => string | undefined {
  const decode = protobufDecoder({ message: desc, registry }, limits, options)
  return (value) => {
    try {
      return decode(value).toString()
    } catch (error) {
      if (error instanceof DecodeError) return undefined
      throw error
    }
  }
}

/** The bytes with neighbours around them, as records lie in a fetched batch. */
function within(value: Uint8Array, neighbour: number): Buffer {
  const around = Buffer.alloc(16, neighbour)
  return Buffer.concat([around, value, around]).subarray(16, 16 + value.length)
}

const neighbour = fc.constantFrom(0x00, 0x08, 0x0a, 0x80, 0xff)
const damage = fc.array(fc.record({ at: fc.nat(), remove: fc.nat(2), insert: fc.uint8Array({ maxLength: 2 }) }), {
  minLength: 1,
  maxLength: 3,
})

describe.each([...compiledTypes, ...otherTypes])('the decoder of %s', (name) => {
  const desc = typeOf(name)
  const decode = decoderOf(desc)
  const findFault = faultFinder(desc, registry, limits.messageDepthMax)

  /** protobuf-es makes something of some values that are not well-formed, or not of the type: they are refused. */
  const compare = (value: Buffer): void => {
    const wanted = findFault(value) === undefined ? reference(desc, value) : undefined
    expect(decode(value)).toBe(wanted)
  }

  it('prints what protobuf-es prints, however it is written', () => {
    fc.assert(
      fc.property(choices, fc.boolean(), neighbour, (chosen, isWild, around) => {
        const value = within(writeMessage(desc, chosen, { isWild, extensions }), around)
        expect(decode(value)).toBe(reference(desc, value))
      }),
      { numRuns: 500 },
    )
  })

  it('prints what protobuf-es prints with the same options', () => {
    fc.assert(
      fc.property(choices, jsonOptions, neighbour, (chosen, options, around) => {
        const value = within(writeMessage(desc, chosen, { isWild: false, extensions }), around)
        let wanted: string | undefined
        try {
          wanted = toJsonString(desc, fromBinary(desc, value), { registry, ...options })
        } catch {
          wanted = undefined
        }
        expect(decoderOf(desc, options)(value)).toBe(wanted)
      }),
      { numRuns: 100 },
    )
  })

  it('prints what protobuf-es prints, or refuses it, when fields are of another type', () => {
    fc.assert(
      fc.property(choices, neighbour, (chosen, around) => {
        compare(within(writeMessage(desc, chosen, { isWild: true, hasWrongTypes: true, extensions }), around))
      }),
      { numRuns: 300 },
    )
  })

  it('prints what protobuf-es prints, or refuses it, when bytes are damaged', () => {
    fc.assert(
      fc.property(choices, damage, neighbour, (chosen, edits, around) => {
        let bytes = writeMessage(desc, chosen, { isWild: false, extensions })
        for (const { at, remove, insert } of edits) {
          const from = at % (bytes.length + 1)
          bytes = Buffer.concat([bytes.subarray(0, from), insert, bytes.subarray(from + remove)])
        }
        compare(within(bytes, around))
      }),
      { numRuns: 500 },
    )
  })

  it('prints what protobuf-es prints, or refuses it, when it is cut off anywhere', () => {
    fc.assert(
      fc.property(choices, neighbour, (chosen, around) => {
        const bytes = writeMessage(desc, chosen, { isWild: false, extensions }).subarray(0, 300)
        for (let length = 0; length < bytes.length; length++) compare(within(bytes.subarray(0, length), around))
      }),
      { numRuns: 30 },
    )
  })
})

describe('the compiled decoder of maps', () => {
  const desc = typeOf('testdata.v1.Maps')
  const decode = decoderOf(desc)
  const compiled = compileProtoJson({ message: desc, registry }, limits)
  const entry = (key: string): Buffer => {
    const fields = Buffer.concat([
      writeTag(1, 2),
      withLength(Buffer.from(key)),
      writeTag(2, 2),
      withLength(Buffer.from(`of ${key}`)),
    ])
    return Buffer.concat([writeTag(1, 2), withLength(fields)])
  }
  const key = fc.oneof(
    fc.nat(99).map(String),
    fc.string({ maxLength: 2 }),
    fc.constantFrom('4294967294', '4294967295', '-1', '00', '1e3'),
  )

  it('puts entries in the order of protobuf-es, however many there are', () => {
    fc.assert(
      fc.property(fc.uniqueArray(key, { maxLength: 60, size: 'max' }), (keys) => {
        const value = Buffer.concat(keys.map(entry))
        expect(compiled?.(value)?.toString()).toBe(reference(desc, value))
      }),
    )
  })

  it('keeps the last of the entries that have one key, however many there are', () => {
    fc.assert(
      fc.property(fc.array(key, { maxLength: 60, size: 'max' }), (keys) => {
        const value = Buffer.concat(keys.map(entry))
        expect(decode(value)).toBe(reference(desc, value))
      }),
    )
  })
})

describe.each(compiledTypes)('the compiled decoder of %s', (name) => {
  it('takes every message that a serializer wrote, whatever its order of fields and of map entries', () => {
    const desc = typeOf(name)
    const compiled = compileProtoJson({ message: desc, registry }, limits)
    let taken = 0
    fc.assert(
      fc.property(choices, (chosen) => {
        const written = writeMessage(desc, chosen, { isWild: false })
        // Paths of a field mask that no field could have are left to the general decoder.
        const json = reference(desc, written)
        fc.pre(json !== undefined && !json.includes('"mask":'))
        const inOrder = toBinary(desc, fromBinary(desc, written), { writeUnknownFields: false })
        expect(compiled?.(Buffer.from(inOrder))?.toString()).toBe(json)
        const reordered = reverseFields(inOrder)
        expect(compiled?.(reordered)?.toString()).toBe(reference(desc, reordered))
        taken++
      }),
      { numRuns: 300, maxSkipsPerRun: 1000 },
    )
    expect(taken).toBe(300)
  })
})

/** The message with its fields in reverse order, and with what repeated fields hold reversed, too. */
function reverseFields(message: Uint8Array): Buffer {
  const reader = new BinaryReader(message)
  const parts: Uint8Array[] = []
  while (reader.pos < message.length) {
    const start = reader.pos
    const [number, wireType] = reader.tag()
    reader.skip(wireType, number)
    parts.push(message.subarray(start, reader.pos))
  }
  return Buffer.concat(parts.reverse())
}

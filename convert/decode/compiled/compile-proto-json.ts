import type { DescExtension, DescField, DescMessage, Registry } from '@bufbuild/protobuf'
import type { DecodeLimits } from '../decode-limits.ts'
import { canonicalJson, type JsonOptions } from '../json-options.ts'
import type { Schema } from '../load-schema.ts'
import { compileMessage, compileWrapper, type MessageWriter, type WriterPart } from './compile-message.ts'
import { nameText } from './field-code.ts'
import { resetMapKeys } from './map-keys.ts'
import { nameBytesMax } from './output.ts'
import { wellKnownWriter } from './well-known.ts'
import { unusual } from './wire.ts'
import { writeBody } from './write-body.ts'

/** Fields of a message above which it is left to the general decoder: code for so many would be slow to compile. */
const compiledFieldsMax = 1000

/** Levels for which the output's slack has room to close them. */
const depthMax = 1000

/** Returns the body for a value, or undefined for one that must be left to the general decoder. Throws DecodeError. */
export type CompiledDecoder = (value: Buffer) => Buffer | undefined

/**
 * Compiles a decoder of a message to its ProtoJSON, that does what serializers ordinarily write. Everything else, right or
 * wrong, it leaves to the general decoder; undefined in place of a decoder when that would be every value.
 */
export function compileProtoJson(
  { message, registry }: Schema,
  limits: DecodeLimits,
  options: JsonOptions = canonicalJson,
): CompiledDecoder | undefined {
  if (limits.messageDepthMax > depthMax) throw new RangeError(`messageDepthMax can be at most ${depthMax}`)
  const root = rootPart(message, registry, options)
  if (root.write === writeUnusual) return undefined
  const { messageDepthMax, bodyBytesMax } = limits
  const write = (value: Buffer): number => {
    resetMapKeys()
    return root.write(value, 0, value.length, 0, messageDepthMax)
  }
  return (value) => {
    try {
      return writeBody(write, value, bodyBytesMax)
    } catch (error) {
      if (error === unusual) return undefined
      throw error
    }
  }
}

const writeUnusual: MessageWriter = () => {
  throw unusual
}

/** The writer of a message type. Those of the types that it can hold are compiled when they are first met: a record uses few of a large schema. */
function rootPart(root: DescMessage, registry: Registry, options: JsonOptions): WriterPart {
  const parts = new Map<DescMessage, WriterPart>()
  const extensions = extensionsOf(registry)
  const compileNow = (desc: DescMessage): MessageWriter => compile(desc, extensions.get(desc.typeName) ?? [], partOf, options)
  const partOf = (desc: DescMessage): WriterPart => {
    const known = parts.get(desc)
    if (known !== undefined) return known
    const part: WriterPart = {
      write: (...message) => {
        part.write = compileNow(desc)
        return part.write(...message)
      },
    }
    parts.set(desc, part)
    return part
  }
  const part = partOf(root)
  part.write = compileNow(root)
  return part
}

function compile(
  desc: DescMessage,
  extensions: readonly DescExtension[],
  partOf: (desc: DescMessage) => WriterPart,
  options: JsonOptions,
): MessageWriter {
  const writer = wellKnownWriter(desc)
  if (writer === 'general') return writeUnusual
  if (writer === 'wrapper' && desc.fields[0]?.fieldKind === 'scalar') return compileWrapper(desc.fields[0])
  if (typeof writer === 'function') return writer
  return isCompilable(desc, options) ? compileMessage(desc, extensions, partOf, options) : writeUnusual
}

function isCompilable({ fields }: DescMessage, options: JsonOptions): boolean {
  const names = new Set(fields.map((field) => nameText(field, options)))
  const isShort = (field: DescField): boolean => Buffer.byteLength(nameText(field, options)) <= nameBytesMax
  // Compilers of older editions let two fields have one JSON name.
  return fields.length <= compiledFieldsMax && names.size === fields.length && fields.every(isShort)
}

function extensionsOf(registry: Registry): Map<string, DescExtension[]> {
  const byExtendee = new Map<string, DescExtension[]>()
  for (const type of registry) {
    if (type.kind !== 'extension') continue
    const known = byExtendee.get(type.extendee.typeName) ?? []
    byExtendee.set(type.extendee.typeName, [...known, type])
  }
  return byExtendee
}

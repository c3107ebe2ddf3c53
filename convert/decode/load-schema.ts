import {
  create,
  createFileRegistry,
  type DescEnum,
  type DescMessage,
  type FileRegistry,
  fromBinary,
  type Registry,
} from '@bufbuild/protobuf'
import { protoCamelCase } from '@bufbuild/protobuf/reflect'
import {
  type DescriptorProto,
  type FieldDescriptorProto,
  type FileDescriptorProto,
  type FileDescriptorSet,
  FileDescriptorSetSchema,
} from '@bufbuild/protobuf/wkt'
import type { ProtobufDecode } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { checkTypes } from './check-types.ts'
import type { DecodeLimits } from './decode-limits.ts'
import { SchemaError } from './schema-error.ts'

/** A record's message, and everything that its descriptor set defines. */
export interface Schema {
  readonly message: DescMessage
  readonly registry: Registry
}

const howTo = 'make it with `buf build -o schema.binpb` or `protoc --include_imports --descriptor_set_out=schema.binpb`'

/** Loads the message of a protobuf decode from its descriptor set. Throws SchemaError. */
export function loadSchema(decode: ProtobufDecode, limits: DecodeLimits): Schema {
  const bytes = decode.descriptorSet
  if (bytes.length === 0) throw new SchemaError('DESCRIPTOR_SET_MISSING', `descriptor_set is empty: ${howTo}`)
  if (bytes.length > limits.schemaBytesMax) {
    throw new SchemaError(
      'SCHEMA_TOO_LARGE',
      `descriptor_set has ${bytes.length} bytes, at most ${limits.schemaBytesMax} are allowed`,
    )
  }
  const set = parseSet(bytes)
  const registry = buildRegistry(set.file)
  const message = registry.getMessage(decode.message)
  if (message === undefined) throw new SchemaError('MESSAGE_NOT_FOUND', describeMissing(decode.message, registry))
  checkSize(message, limits)
  return { message, registry }
}

function parseSet(bytes: Uint8Array): FileDescriptorSet {
  try {
    return fromBinary(FileDescriptorSetSchema, bytes)
  } catch (error) {
    throw invalidSet(error)
  }
}

/** What the files define. `what` says what they are, for errors. Throws SchemaError. */
export function buildRegistry(files: readonly FileDescriptorProto[], what?: string): FileRegistry {
  const file = importedFirst(files, what)
  for (const { messageType } of file) addJsonNames(messageType, [])
  try {
    const registry = createFileRegistry(create(FileDescriptorSetSchema, { file }))
    checkTypes(registry)
    return registry
  } catch (error) {
    throw invalidSet(error, what)
  }
}

/** Compilers write the JSON names of fields into a descriptor set; what makes one from a program's own types often does not. */
function addJsonNames(messages: readonly DescriptorProto[], fields: readonly FieldDescriptorProto[]): void {
  for (const field of fields) if (field.jsonName === '') field.jsonName = protoCamelCase(field.name)
  for (const message of messages) addJsonNames(message.nestedType, message.field)
}

function invalidSet(error: unknown, what?: string): SchemaError {
  const why = error instanceof Error ? error.message : String(error)
  if (what !== undefined) return new SchemaError('DESCRIPTOR_SET_INVALID', `${what}: ${why}`)
  return new SchemaError(
    'DESCRIPTOR_SET_INVALID',
    `descriptor_set is no valid google.protobuf.FileDescriptorSet (${why}): ${howTo}`,
  )
}

/** The files in an order in which each comes after its imports: the registry needs that, and not every tool writes it. */
function importedFirst(files: readonly FileDescriptorProto[], what?: string): FileDescriptorProto[] {
  const waiting = new Map(files.map((file) => [file.name, file]))
  const isOpen = new Set<string>()
  const ordered: FileDescriptorProto[] = []
  const done = new Set<string>()
  const visit = (file: FileDescriptorProto): void => {
    if (done.has(file.name)) return
    if (isOpen.has(file.name)) throw invalidSet(`${file.name} imports itself`, what)
    isOpen.add(file.name)
    for (const name of file.dependency) {
      const imported = waiting.get(name)
      if (imported === undefined) {
        const lacks = `lacks ${name}, which ${file.name} imports`
        throw new SchemaError('IMPORT_MISSING', what === undefined ? `descriptor_set ${lacks}: ${howTo}` : `${what}: it ${lacks}`)
      }
      visit(imported)
    }
    done.add(file.name)
    ordered.push(file)
  }
  for (const file of waiting.values()) visit(file)
  return ordered
}

const suggestedMax = 3

function describeMissing(name: string, registry: Registry): string {
  const names = [...registry].filter((type) => type.kind === 'message').map((type) => type.typeName)
  const lastPart = (full: string): string => full.slice(full.lastIndexOf('.') + 1).toLowerCase()
  const wanted = lastPart(name)
  const isClose = (full: string): boolean => {
    const last = lastPart(full)
    return wanted !== '' && (last.includes(wanted) || wanted.includes(last))
  }
  const close = names.filter((full) => lastPart(full) === wanted)
  const suggested = [
    ...(close.length > 0 ? close : names.filter(isClose)),
    ...names.filter((full) => !full.startsWith('google.')),
  ]
  const some = [...new Set(suggested)].slice(0, suggestedMax)
  return `descriptor_set has no message ${JSON.stringify(name)}; it has ${some.join(', ') || 'none'}${names.length > some.length ? ` and ${names.length - some.length} more` : ''}`
}

/** Counts what the message can hold, without recursion: types may refer to each other in long chains and in circles. Throws SchemaError. */
export function checkSize(root: DescMessage, limits: DecodeLimits): void {
  const messages = new Set([root])
  const enums = new Set<DescEnum>()
  let fields = 0
  for (const message of messages) {
    fields += message.fields.length
    for (const field of message.fields) {
      if (field.message !== undefined) messages.add(field.message)
      if (field.enum === undefined || enums.has(field.enum)) continue
      enums.add(field.enum)
      fields += field.enum.values.length
    }
    if (messages.size > limits.schemaMessagesMax || fields > limits.schemaFieldsMax) {
      const { schemaMessagesMax, schemaFieldsMax } = limits
      const allowed = `${schemaMessagesMax} message types, or ${schemaFieldsMax} fields and enum values`
      throw new SchemaError('SCHEMA_TOO_LARGE', `${root.typeName} can hold more than ${allowed}`)
    }
  }
}

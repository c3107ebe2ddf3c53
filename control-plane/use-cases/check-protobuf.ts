import { createFileRegistry, fromBinary } from '@bufbuild/protobuf'
import { type FileDescriptorSet, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import type { ProtobufDecode } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { closeNames } from './close-names.ts'
import { quote, someOf, type Violation } from './violation.ts'

const path = 'use_case.spec.decode.protobuf'
const setField = `${path}.descriptor_set`
const howTo = 'make it with `buf build -o schema.binpb` or `protoc --include_imports --descriptor_set_out=schema.binpb`'

/** Checks a protobuf decode against the bytes of its descriptor set. */
export function checkProtobufDecode(decode: ProtobufDecode, descriptorSet: Uint8Array): Violation[] {
  const set = parseSet(descriptorSet)
  if (typeof set === 'string') return [invalidSet(set)]
  if (set.file.length === 0) return [invalidSet('it has no files')]
  const names = new Set(set.file.map((file) => file.name))
  const missing = [...new Set(set.file.flatMap((file) => file.dependency.filter((each) => !names.has(each))))]
  if (missing.length > 0) {
    const description = `${setField} must have every import; ${someOf(missing)} not in it: ${howTo}`
    return [{ field: setField, description, reason: 'DESCRIPTOR_SET_INCOMPLETE' }]
  }
  return checkMessage(decode.message, set)
}

function parseSet(bytes: Uint8Array): FileDescriptorSet | string {
  try {
    return fromBinary(FileDescriptorSetSchema, bytes)
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function checkMessage(message: string, set: FileDescriptorSet): Violation[] {
  const names: string[] = []
  try {
    const registry = createFileRegistry({ ...set, file: importedFirst(set.file) })
    if (registry.getMessage(message)) return []
    for (const type of registry) if (type.kind === 'message') names.push(type.typeName)
  } catch (error) {
    return [invalidSet(error instanceof Error ? error.message : String(error))]
  }
  if (message === '') return []
  const field = `${path}.message`
  const close = closeNames(message, names)
  const ask = close.length > 0 ? `did you mean ${close.join(' or ')}?` : `it has ${someOf(names.sort())}`
  const description = `${field} must be the full name of a message of the descriptor set; given ${quote(message)}: ${ask}`
  return [{ field, description, reason: 'MESSAGE_UNKNOWN' }]
}

function invalidSet(why: string): Violation {
  const description = `${setField} must be a serialized google.protobuf.FileDescriptorSet; ${quote(why)}: ${howTo}`
  return { field: setField, description, reason: 'DESCRIPTOR_SET_INVALID' }
}

/** protoc writes imports before what imports them; other tools need not. Throws on a circle. */
function importedFirst(files: FileDescriptorSet['file']): FileDescriptorSet['file'] {
  const byName = new Map(files.map((file) => [file.name, file]))
  const state = new Map<string, 'open' | 'done'>()
  const ordered: FileDescriptorSet['file'] = []
  const visit = (name: string): void => {
    if (state.get(name) === 'open') throw new Error(`${name} imports itself`)
    if (state.has(name)) return
    state.set(name, 'open')
    for (const dependency of byName.get(name)!.dependency) visit(dependency)
    state.set(name, 'done')
    ordered.push(byName.get(name)!)
  }
  for (const file of files) visit(file.name)
  return ordered
}

import { readFileSync } from 'node:fs'
import { type DescFile, fromBinary, type Registry } from '@bufbuild/protobuf'
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import type { DecodeLimits } from '../decode-limits.ts'
import { buildRegistry } from '../load-schema.ts'
import { SchemaError } from '../schema-error.ts'

/** A file of a protobuf schema: the path by which others import it, and its FileDescriptorProto. */
export interface EncodedFile {
  readonly name: string
  readonly base64: string
}

/**
 * What every registry has without a reference: google/protobuf, google/type, and Confluent's own two files
 * (confluent/meta.proto without its extensions of options). A FileDescriptorSet, by `buf build`.
 */
let knownImports: readonly FileDescriptorProto[] | undefined

function known(): readonly FileDescriptorProto[] {
  knownImports ??= fromBinary(FileDescriptorSetSchema, readFileSync(new URL('known-imports.binpb', import.meta.url))).file
  return knownImports
}

/** Reads the files of a schema; the last one is the schema itself. Throws SchemaError. */
export function readFiles(
  encoded: readonly EncodedFile[],
  { schemaBytesMax }: Pick<DecodeLimits, 'schemaBytesMax'>,
): { readonly file: DescFile; readonly registry: Registry } {
  const bytes = encoded.reduce((sum, { base64 }) => sum + (base64.length * 3) / 4, 0)
  if (bytes > schemaBytesMax)
    throw new SchemaError('SCHEMA_TOO_LARGE', `its files have ${Math.round(bytes)} bytes, at most ${schemaBytesMax} are allowed`)
  const files = new Map<string, FileDescriptorProto>()
  // The first of a name: the same file can be there in several versions.
  for (const each of encoded) if (!files.has(each.name)) files.set(each.name, parseFile(each))
  const name = encoded.at(-1)!.name
  addKnown(files)
  const registry = buildRegistry([...files.values()], `the schema is wrong`)
  const file = registry.getFile(name)
  if (file === undefined) throw new SchemaError('DESCRIPTOR_SET_INVALID', 'the schema is wrong: it has no file')
  return { file, registry }
}

function addKnown(files: Map<string, FileDescriptorProto>): void {
  const byName = new Map(known().map((file) => [file.name, file]))
  // What is added here is gone over as well.
  for (const { dependency } of files.values()) {
    for (const name of dependency) {
      const file = byName.get(name)
      if (file !== undefined && !files.has(name)) files.set(name, file)
    }
  }
}

function parseFile({ name, base64 }: EncodedFile): FileDescriptorProto {
  if (!/^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(base64))
    throw new SchemaError(
      'DESCRIPTOR_SET_INVALID',
      'the registry gives protobuf as text only, and Ferry needs format=serialized (Confluent, Karapace, Redpanda 25.2)',
    )
  try {
    return Object.assign(fromBinary(FileDescriptorProtoSchema, Buffer.from(base64, 'base64')), { name })
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new SchemaError('DESCRIPTOR_SET_INVALID', `${name} is no FileDescriptorProto (${why})`)
  }
}

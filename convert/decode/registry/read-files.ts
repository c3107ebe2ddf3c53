import { readFileSync } from 'node:fs'
import { type DescFile, fromBinary, type Registry } from '@bufbuild/protobuf'
import { type FileDescriptorProto, FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import type { DecodeLimits } from '../decode-limits.ts'
import { buildRegistry } from '../load-schema.ts'
import { SchemaError } from '../schema-error.ts'
import { addDescribed, readProtoText, type TypeKinds } from './read-proto-text.ts'

/** A file of a protobuf schema: the path by which others import it, and its FileDescriptorProto in base64, or its text. */
export interface EncodedFile {
  readonly name: string
  readonly schema: string
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
  const bytes = encoded.reduce((sum, { schema }) => sum + schema.length, 0)
  if (bytes > schemaBytesMax)
    throw new SchemaError('SCHEMA_TOO_LARGE', `its files have ${bytes} characters, at most ${schemaBytesMax} are allowed`)
  const files = new Map<string, FileDescriptorProto>()
  // The first of a name: the same file can be there in several versions.
  const kinds: TypeKinds = new Map()
  if (encoded.some(({ schema }) => !isBase64(schema))) for (const file of known()) addDescribed(file, kinds)
  for (const each of encoded) {
    if (files.has(each.name)) continue
    const file = parseFile(each, kinds)
    files.set(each.name, file)
    addDescribed(file, kinds)
  }
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

const isBase64 = (schema: string): boolean => /^[A-Za-z0-9+/\s]*={0,2}\s*$/.test(schema)

function parseFile({ name, schema }: EncodedFile, kinds: TypeKinds): FileDescriptorProto {
  if (!isBase64(schema)) return readProtoText(name, schema, kinds)
  try {
    return Object.assign(fromBinary(FileDescriptorProtoSchema, Buffer.from(schema, 'base64')), { name })
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw new SchemaError('DESCRIPTOR_SET_INVALID', `${name} is no FileDescriptorProto (${why})`)
  }
}

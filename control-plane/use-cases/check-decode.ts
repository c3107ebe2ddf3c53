import { readAvroSchema } from '../../convert/decode/avro/read-avro-schema.ts'
import { defaultDecodeLimits } from '../../convert/decode/decode-limits.ts'
import { SchemaError } from '../../convert/decode/schema-error.ts'
import type { Decode } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { defaultRegistry } from '../../runtime/schema-registry-settings.ts'
import { type KeptSchema, keptSchema } from '../store/kept-schema.ts'
import { checkProtobufDecode } from './check-protobuf.ts'
import type { StoredSpec } from './stored-spec.ts'
import { quote, someOf, type Violation } from './violation.ts'

export interface DecodeContext {
  /** Names of the schema registries that are configured. */
  readonly schemaRegistries: readonly string[]
  /** A descriptor set or schema by its hash; undefined when Ferry does not have it. */
  readonly descriptorSet: (sha256: string) => Promise<Uint8Array | undefined>
}

/** Checks how values are decoded. */
export async function checkDecode({ spec, schema, mismatch }: StoredSpec, context: DecodeContext): Promise<Violation[]> {
  const { descriptorSet: find, schemaRegistries } = context
  const format = spec.decode?.format
  if (format?.case === 'schemaRegistry') return checkRegistry(format.value.registry, schemaRegistries)
  const kept = keptSchema(spec)
  if (kept === undefined) return []
  const field = `use_case.${kept.field}`
  const shaField = `${field}_sha256`
  const name = kept.field.slice(kept.field.lastIndexOf('.') + 1)
  const reason = name.toUpperCase()
  if (mismatch !== undefined) {
    const description = `${shaField} must be the hash of ${name}, ${kept.sha256}, or left out; given ${mismatch}`
    return [{ field: shaField, description, reason: `${reason}_MISMATCH` }]
  }
  if (schema) return checkSchema(spec.decode!, kept, schema)
  if (kept.sha256 === '') {
    const description = `${field} must be given, or ${name}_sha256 of one that Ferry has; given neither`
    return [{ field, description, reason: `${reason}_MISSING` }]
  }
  const known = /^[0-9a-f]{64}$/.test(kept.sha256) ? await find(kept.sha256) : undefined
  if (known) return checkSchema(spec.decode!, kept, known)
  const description = `${shaField} must be the hash of a ${kept.what.replace('Avro ', '')} that Ferry has; given ${quote(kept.sha256)}: give the bytes in ${name}`
  return [{ field: shaField, description, reason: `${reason}_UNKNOWN` }]
}

function checkRegistry(given: string, configured: readonly string[]): Violation[] {
  const registry = given || defaultRegistry
  if (configured.includes(registry)) return []
  const field = 'use_case.spec.decode.schema_registry.registry'
  const description = `${field} must be a configured schema registry (${someOf(configured) || 'there is none'}); given ${quote(registry)}`
  return [{ field, description, reason: 'SCHEMA_REGISTRY_NOT_FOUND' }]
}

function checkSchema({ format }: Decode, kept: KeptSchema, bytes: Uint8Array): Violation[] {
  return format.case === 'protobuf' ? checkProtobufDecode(format.value, bytes) : checkAvroSchema(`use_case.${kept.field}`, bytes)
}

function checkAvroSchema(field: string, bytes: Uint8Array): Violation[] {
  try {
    readAvroSchema(Buffer.from(bytes).toString(), defaultDecodeLimits)
    return []
  } catch (error) {
    if (!(error instanceof SchemaError)) throw error
    return [{ field, description: `${field} must be an Avro schema; ${error.message}`, reason: 'SCHEMA_INVALID' }]
  }
}

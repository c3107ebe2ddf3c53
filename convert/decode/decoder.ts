import type { Decode, SchemaRegistryDecode } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { avroDecoder, loadAvroSchema } from './avro/avro-decoder.ts'
import { bytesDecoder } from './bytes.ts'
import type { DecodeLimits } from './decode-limits.ts'
import { jsonDecoder } from './json.ts'
import { loadSchema } from './load-schema.ts'
import { protobufDecoder } from './protobuf.ts'
import { registryDecoder } from './registry/registry-decoder.ts'
import type { SchemaSource } from './registry/schema-source.ts'
import { SchemaError } from './schema-error.ts'
import { textDecoder } from './text.ts'

/**
 * Returns the body to send for a record's value: of JSON the value's own bytes, else a buffer of its own. Throws DecodeError,
 * which says what is wrong and where; with a schema registry also SchemaPending.
 */
export type Decoder = (value: Buffer) => Buffer

export type { DecodeLimits }

/** Bytes that a body of the use case may have. */
export const bodyBytesMax = (decode: Decode, limits: DecodeLimits): number => Number(decode.bodyBytesMax ?? limits.bodyBytesMax)

/** The schemas of a registry by its name; undefined for one that is not configured. */
export type Schemas = (registry: string) => SchemaSource | undefined

const noSchemas: Schemas = () => undefined

function schemaSource({ registry }: SchemaRegistryDecode, schemas: Schemas): SchemaSource {
  const name = registry || 'default'
  const source = schemas(name)
  if (source !== undefined) return source
  throw new SchemaError(
    'SCHEMA_REGISTRY_UNKNOWN',
    `this process has no schema registry ${name}: name it in its FERRY_SCHEMA_REGISTRIES, or set FERRY_SCHEMA_REGISTRY_URLS for default`,
  )
}

/** Compiles how a use case's records become bodies. The descriptor set or schema must be filled in. Throws SchemaError when no record could be decoded by it. */
export function compileDecoder(decode: Decode, ofProcess: DecodeLimits, schemas: Schemas = noSchemas): Decoder {
  const { format } = decode
  const limits = { ...ofProcess, bodyBytesMax: bodyBytesMax(decode, ofProcess) }
  switch (format.case) {
    case 'json':
      return jsonDecoder(limits)
    case 'protobuf':
      return protobufDecoder(loadSchema(format.value, limits), limits, format.value.jsonOptions)
    case 'avro':
      return avroDecoder(loadAvroSchema(format.value, limits), limits, format.value.jsonOptions)
    case 'schemaRegistry':
      return registryDecoder(format.value, schemaSource(format.value, schemas), limits)
    case 'text':
      return textDecoder(limits)
    case 'bytes':
      return bytesDecoder(limits)
    case undefined:
      throw new SchemaError(
        'FORMAT_NOT_SET',
        'decode has no format that this worker knows: set json, protobuf, avro, schema_registry, text or bytes, or use a newer worker',
      )
  }
}

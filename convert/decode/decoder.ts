import type { Decode } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { avroDecoder, loadAvroSchema } from './avro/avro-decoder.ts'
import { bytesDecoder } from './bytes.ts'
import type { DecodeLimits } from './decode-limits.ts'
import { jsonDecoder } from './json.ts'
import { loadSchema } from './load-schema.ts'
import { protobufDecoder } from './protobuf.ts'
import { SchemaError } from './schema-error.ts'
import { textDecoder } from './text.ts'

/**
 * Returns the body to send for a record's value: of JSON the value's own bytes, else a buffer of its own. Throws DecodeError,
 * which says what is wrong and where.
 */
export type Decoder = (value: Buffer) => Buffer

export type { DecodeLimits }

/** Bytes that a body of the use case may have. */
export const bodyBytesMax = (decode: Decode, limits: DecodeLimits): number => Number(decode.bodyBytesMax ?? limits.bodyBytesMax)

/** Compiles how a use case's records become bodies. The descriptor set or schema must be filled in. Throws SchemaError when no record could be decoded by it. */
export function compileDecoder(decode: Decode, ofProcess: DecodeLimits): Decoder {
  const { format } = decode
  const limits = { ...ofProcess, bodyBytesMax: bodyBytesMax(decode, ofProcess) }
  switch (format.case) {
    case 'json':
      return jsonDecoder(limits)
    case 'protobuf':
      return protobufDecoder(loadSchema(format.value, limits), limits, format.value.jsonOptions)
    case 'avro':
      return avroDecoder(loadAvroSchema(format.value, limits), limits, format.value.jsonOptions)
    case 'text':
      return textDecoder(limits)
    case 'bytes':
      return bytesDecoder(limits)
    case undefined:
      throw new SchemaError(
        'FORMAT_NOT_SET',
        'decode has no format that this worker knows: set json, protobuf, avro, text or bytes, or use a newer worker',
      )
  }
}

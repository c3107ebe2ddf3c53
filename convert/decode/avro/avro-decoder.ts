import type { AvroDecode } from '../../../proto/gen/ferry/v1/use_case_pb.ts'
import { cursor } from '../compiled/wire.ts'
import { writeBody } from '../compiled/write-body.ts'
import { DecodeError } from '../decode-error.ts'
import type { DecodeLimits } from '../decode-limits.ts'
import type { Decoder } from '../decoder.ts'
import { SchemaError } from '../schema-error.ts'
import { AvroFault } from './avro-input.ts'
import { type AvroOptions, defaultAvroOptions } from './avro-options.ts'
import { type AvroType, branchName } from './avro-type.ts'
import { compileAvro } from './compile-avro.ts'
import { readAvroSchema } from './read-avro-schema.ts'

/** The type of an Avro decode, from its schema. Throws SchemaError. */
export function loadAvroSchema({ schema }: Pick<AvroDecode, 'schema'>, limits: DecodeLimits): AvroType {
  if (schema === '') throw new SchemaError('AVRO_SCHEMA_MISSING', 'schema is empty: give the Avro schema as JSON')
  return readAvroSchema(schema, limits)
}

/** The decoder of values in Avro's binary encoding, written by this schema. */
export function avroDecoder(
  type: AvroType,
  { jsonDepthMax, bodyBytesMax }: Pick<DecodeLimits, 'jsonDepthMax' | 'bodyBytesMax'>,
  options: AvroOptions = defaultAvroOptions,
): Decoder {
  const write = compileAvro(type, options)
  const name = branchName(type)
  const writeWhole = (value: Buffer): number => {
    cursor.pos = 0
    const end = write(value, 0, jsonDepthMax)
    const rest = value.length - cursor.pos
    if (rest > 0) throw new AvroFault(`${rest} more bytes follow`, cursor.pos)
    return end
  }
  return (value) => {
    try {
      return writeBody(writeWhole, value, bodyBytesMax)
    } catch (error) {
      if (!(error instanceof AvroFault)) throw error
      const where = error.path.length === 0 ? '' : `, in ${error.path.join('.')}`
      throw new DecodeError(error.code, `no ${name}: ${error.message} at byte ${error.offset}${where}`, error.offset)
    }
  }
}

import type { DescMessage } from '@bufbuild/protobuf'
import type { SchemaRegistryDecode } from '../../../proto/gen/ferry/v1/use_case_pb.ts'
import { avroDecoder } from '../avro/avro-decoder.ts'
import { bytesDecoder } from '../bytes.ts'
import { cursor, readVarint64, undoZigzag64, unusual } from '../compiled/wire.ts'
import { DecodeError } from '../decode-error.ts'
import type { DecodeLimits } from '../decode-limits.ts'
import type { Decoder } from '../decoder.ts'
import { jsonDecoder } from '../json.ts'
import { checkSize } from '../load-schema.ts'
import { protobufDecoder } from '../protobuf.ts'
import { SchemaError } from '../schema-error.ts'
import type { RegisteredSchema, SchemaSource } from './schema-source.ts'

// A value as serializers with a schema registry write it:
//
//   byte 0          | 0
//   bytes 1 to 4    | the schema's id
//   protobuf only   | which message of the schema: how many indexes, and each of them, as zigzag varints; 0 alone means the first
//   the rest        | the datum in Avro's binary encoding, the message, or JSON

const headBytes = 5
const indexesMax = 32
/** Decoders that are kept; each is made again when it is needed again. */
const decodersMax = 1000

/** The decoder of values that begin with the id of a schema of a registry. What it throws beside DecodeError is SchemaPending. */
export function registryDecoder(decode: SchemaRegistryDecode, source: SchemaSource, limits: DecodeLimits): Decoder {
  const decoders = new Map<number, Decoder>()
  return (value) => {
    const id = readId(value)
    let decoder = decoders.get(id)
    if (decoder === undefined) {
      decoder = compile(source.find(id), decode, limits)
      if (decoders.size === decodersMax) decoders.delete(decoders.keys().next().value!)
      decoders.set(id, decoder)
    }
    return decoder(value)
  }
}

function readId(value: Buffer): number {
  if (value.length < headBytes || value[0] !== 0) {
    const begin = value.length === 0 ? 'is empty' : `begins with byte ${value[0]}`
    const what = value[0] === 0 ? `has ${value.length} bytes` : begin
    throw new DecodeError('NO_SCHEMA_ID', `no schema id: a value begins with byte 0 and an id of four bytes; this one ${what}`, 0)
  }
  return value.readUInt32BE(1)
}

/** The decoder of whole values with this schema. */
function compile(
  schema: RegisteredSchema,
  { avroOptions, protobufOptions }: SchemaRegistryDecode,
  limits: DecodeLimits,
): Decoder {
  if (schema.kind === 'JSON') return behindHead(jsonDecoder(limits))
  if (schema.kind === 'AVRO') {
    const { type } = schema
    // Confluent's serializers write bytes that are a value of their own as they are, without their length.
    return behindHead(type.kind === 'bytes' ? bytesDecoder(limits) : avroDecoder(type, limits, avroOptions))
  }
  const { file, registry } = schema
  const decoders = new Map<DescMessage, Decoder>()
  return (value) => {
    const message = readMessage(value, file.messages)
    let decoder = decoders.get(message)
    if (decoder === undefined) {
      decoder = protobufDecoder(checked(message, registry, limits), limits, protobufOptions)
      decoders.set(message, decoder)
    }
    return decoder(value.subarray(cursor.pos))
  }
}

const behindHead =
  (decoder: Decoder): Decoder =>
  (value) =>
    decoder(value.subarray(headBytes))

function checked(message: DescMessage, registry: Parameters<typeof protobufDecoder>[0]['registry'], limits: DecodeLimits) {
  try {
    checkSize(message, limits)
  } catch (error) {
    if (error instanceof SchemaError) throw new DecodeError('SCHEMA_UNUSABLE', error.message)
    throw error
  }
  return { message, registry }
}

/** The message that a value's indexes name; leaves cursor.pos behind them. */
function readMessage(value: Buffer, messages: readonly DescMessage[]): DescMessage {
  cursor.pos = headBytes
  const count = readIndex(value)
  if (count > indexesMax)
    throw new DecodeError('NOT_PROTOBUF', `${count} message indexes, at most ${indexesMax} can be`, headBytes)
  if (count === 0) return messageAt(messages, 0)
  let message = messageAt(messages, readIndex(value))
  for (let level = 1; level < count; level++) message = messageAt(message.nestedMessages, readIndex(value))
  return message
}

function messageAt(messages: readonly DescMessage[], index: number): DescMessage {
  const message = messages[index]
  if (message !== undefined) return message
  throw new DecodeError('NOT_PROTOBUF', `the schema has no message of index ${index}, where it has ${messages.length}`, headBytes)
}

function readIndex(value: Buffer): number {
  const from = cursor.pos
  try {
    cursor.pos = readVarint64(value, from)
  } catch (error) {
    if (error !== unusual) throw error
    throw new DecodeError('NOT_PROTOBUF', `no message index at byte ${from}`, from)
  }
  undoZigzag64()
  if (cursor.hi !== 0 || cursor.lo < 0)
    throw new DecodeError('NOT_PROTOBUF', `a message index that is none at byte ${from}`, from)
  return cursor.lo
}

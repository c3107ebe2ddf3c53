import { compileProtoJson } from './compiled/compile-proto-json.ts'
import type { DecodeLimits } from './decode-limits.ts'
import type { Decoder } from './decoder.ts'
import { generalDecoder } from './general.ts'
import { canonicalJson, type JsonOptions } from './json-options.ts'
import type { Schema } from './load-schema.ts'

/**
 * The decoder of protobuf messages to canonical ProtoJSON. What serializers ordinarily write goes through a decoder compiled
 * for the message, at a sixth of the cost; all else through the general one, which says what is right.
 */
export function protobufDecoder(schema: Schema, limits: DecodeLimits, options: JsonOptions = canonicalJson): Decoder {
  const general = generalDecoder(schema, limits, options)
  const compiled = compileProtoJson(schema, limits, options)
  if (compiled === undefined) return general
  return (value) => compiled(value) ?? general(value)
}

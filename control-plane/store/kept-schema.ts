import type { UseCaseSpec } from '../../proto/gen/ferry/v1/use_case_pb.ts'

/** The part of a definition that is kept apart from it by its hash, so that answers and the audit stay small. */
export interface KeptSchema {
  /** Its field in the contract; the field of its hash is `{field}_sha256`. */
  readonly field: string
  /** What it is called. */
  readonly what: 'descriptor set' | 'Avro schema'
  /** Empty where only the hash is given. */
  readonly bytes: Uint8Array
  readonly sha256: string
  /** Writes both into the definition. */
  readonly replace: (bytes: Uint8Array, sha256: string) => void
}

/** Undefined when the definition has none. */
export function keptSchema(spec: UseCaseSpec | undefined): KeptSchema | undefined {
  const format = spec?.decode?.format
  if (format?.case === 'protobuf') {
    const decode = format.value
    return {
      field: 'spec.decode.protobuf.descriptor_set',
      what: 'descriptor set',
      bytes: decode.descriptorSet,
      sha256: decode.descriptorSetSha256,
      replace: (descriptorSet, descriptorSetSha256) => Object.assign(decode, { descriptorSet, descriptorSetSha256 }),
    }
  }
  if (format?.case !== 'avro') return undefined
  const decode = format.value
  return {
    field: 'spec.decode.avro.schema',
    what: 'Avro schema',
    bytes: Buffer.from(decode.schema),
    sha256: decode.schemaSha256,
    replace: (bytes, schemaSha256) => Object.assign(decode, { schema: Buffer.from(bytes).toString(), schemaSha256 }),
  }
}

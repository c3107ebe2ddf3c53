import { clone } from '@bufbuild/protobuf'
import { type UseCaseSpec, UseCaseSpecSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'

/** What was asked, as it is kept and answered: the descriptor set's bytes apart, in the spec only their hash. */
export interface StoredSpec {
  readonly spec: UseCaseSpec
  readonly descriptorSet: Uint8Array | undefined
  /** The hash that was given beside bytes of another hash. */
  readonly mismatch: string | undefined
}

export function storedSpec(asked: UseCaseSpec, hash: (bytes: Uint8Array) => string): StoredSpec {
  const spec = clone(UseCaseSpecSchema, asked)
  const format = spec.decode?.format
  if (format?.case !== 'protobuf' || format.value.descriptorSet.length === 0) {
    return { spec, descriptorSet: undefined, mismatch: undefined }
  }
  const decode = format.value
  const descriptorSet = decode.descriptorSet
  const sha256 = hash(descriptorSet)
  const mismatch =
    decode.descriptorSetSha256 !== '' && decode.descriptorSetSha256 !== sha256 ? decode.descriptorSetSha256 : undefined
  decode.descriptorSet = new Uint8Array()
  decode.descriptorSetSha256 = sha256
  return { spec, descriptorSet, mismatch }
}

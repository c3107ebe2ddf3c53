import { clone } from '@bufbuild/protobuf'
import { type UseCaseSpec, UseCaseSpecSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { keptSchema } from '../store/kept-schema.ts'

/** What was asked, as it is kept and answered: the bytes of a descriptor set or schema apart, in the spec only their hash. */
export interface StoredSpec {
  readonly spec: UseCaseSpec
  readonly schema: Uint8Array | undefined
  /** The hash that was given beside bytes of another hash. */
  readonly mismatch: string | undefined
}

export function storedSpec(asked: UseCaseSpec, hash: (bytes: Uint8Array) => string): StoredSpec {
  const spec = clone(UseCaseSpecSchema, asked)
  const kept = keptSchema(spec)
  if (kept === undefined || kept.bytes.length === 0) return { spec, schema: undefined, mismatch: undefined }
  const sha256 = hash(kept.bytes)
  const mismatch = kept.sha256 !== '' && kept.sha256 !== sha256 ? kept.sha256 : undefined
  kept.replace(new Uint8Array(), sha256)
  return { spec, schema: kept.bytes, mismatch }
}

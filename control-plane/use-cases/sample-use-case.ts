import { create, type DescFile, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import {
  file_ferry_v1_use_case,
  type UseCase,
  UseCaseSchema,
  type UseCaseSpec,
  UseCaseSpecSchema,
} from '../../proto/gen/ferry/v1/use_case_pb.ts'

// What tests register.

type SpecInit = Exclude<MessageInitShape<typeof UseCaseSpecSchema>, UseCaseSpec>

export function sampleSpec(over: SpecInit = {}): UseCaseSpec {
  return create(UseCaseSpecSchema, {
    source: { topic: 'orders' },
    decode: { format: { case: 'json', value: {} } },
    destination: { url: 'http://127.0.0.1:8080/orders' },
    ...over,
  })
}

export function sampleUseCase(name: string, over: SpecInit = {}): UseCase {
  return create(UseCaseSchema, { name, spec: sampleSpec(over) })
}

/** A real schema with imports: Ferry's own contract. */
export const sampleMessage = 'ferry.v1.UseCase'

export function sampleDescriptorSet(leftOut: readonly string[] = []): Uint8Array {
  const files = new Map<string, DescFile>()
  const add = (file: DescFile): void => {
    if (files.has(file.proto.name)) return
    for (const each of file.dependencies) add(each)
    files.set(file.proto.name, file)
  }
  add(file_ferry_v1_use_case)
  const kept = [...files.values()].map((each) => each.proto).filter((each) => !leftOut.includes(each.name))
  return toBinary(FileDescriptorSetSchema, create(FileDescriptorSetSchema, { file: kept }))
}

export const protobufDecode = (descriptorSet: Uint8Array, message = sampleMessage) =>
  ({ format: { case: 'protobuf', value: { descriptorSet, message } } }) as const

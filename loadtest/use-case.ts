import type { MessageInitShape } from '@bufbuild/protobuf'
import { Ordering, StartPosition, type UseCaseSchema } from '../proto/gen/ferry/v1/use_case_pb.ts'
import type { Load } from './load.ts'
import { buildDescriptorSet, orderMessageName } from './order-message.ts'

/** The load as a use case with the defaults of one, so with whole bodies in the log. */
export function loadUseCase(name: string, load: Load, url: string): MessageInitShape<typeof UseCaseSchema> {
  const { topic, payload, ordering, inFlight, batch } = load
  return {
    name,
    spec: {
      source: { topic, start: { case: 'position', value: StartPosition.EARLIEST } },
      decode: {
        format:
          payload !== 'protobuf'
            ? { case: 'json', value: {} }
            : { case: 'protobuf', value: { descriptorSet: buildDescriptorSet(), message: orderMessageName } },
      },
      destination: { url, ...(batch > 0 && { batch: { maxRecords: batch } }) },
      delivery: { ordering: ordering === 'key' ? Ordering.KEY : Ordering.UNORDERED, maxInFlight: inFlight },
    },
  }
}

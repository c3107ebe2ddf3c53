import type { MessageInitShape } from '@bufbuild/protobuf'
import { Ordering, StartPosition, type UseCaseSchema } from '../../../proto/gen/ferry/v1/use_case_pb.ts'
import { flightMessageName } from './flight-message.ts'

const maxInFlight = 256

/** What the new service's team registers. */
export const flightsUseCase = (
  name: string,
  topic: string,
  descriptorSet: Uint8Array<ArrayBuffer>,
  url: string,
): MessageInitShape<typeof UseCaseSchema> => ({
  name,
  spec: {
    description: 'Flights move from the old service to the new one.',
    source: { topic, start: { case: 'position', value: StartPosition.EARLIEST } },
    decode: { format: { case: 'protobuf', value: { descriptorSet, message: flightMessageName } } },
    destination: { url, requestTimeout: { seconds: 10n } },
    // Should a row be published again with new values, the new service must not get them in the wrong order.
    delivery: { ordering: Ordering.KEY, maxInFlight },
    retry: {
      initialInterval: { seconds: 1n },
      maximumInterval: { seconds: 5n },
      maxElapsedTime: { seconds: 3600n },
    },
  },
})

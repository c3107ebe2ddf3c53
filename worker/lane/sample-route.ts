import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { durationFromMs } from '@bufbuild/protobuf/wkt'
import { defaultDecodeLimits } from '../../convert/decode/decode-limits.ts'
import type { SchemaSource } from '../../convert/decode/registry/schema-source.ts'
import type { BatchingSchema } from '../../proto/gen/ferry/v1/batching_pb.ts'
import { CloudEventsMode, CloudEventsSchema } from '../../proto/gen/ferry/v1/cloud_events_pb.ts'
import { DecodeSchema, Ordering, type UseCase, UseCaseSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { readEgressRules } from '../../runtime/egress-rules.ts'
import { readSecretKeys } from '../../runtime/secret-keys.ts'
import type { Plan } from '../deliver/plan.ts'
import { compileRoute, type Route, type RouteMeans } from '../deliver/route.ts'

type Batching = MessageInitShape<typeof BatchingSchema>

/** For tests: the same, its values by the schemas of a registry. */
export function sampleRegistryRoute(useCase: UseCase, source: SchemaSource): Route {
  useCase.spec!.decode = create(DecodeSchema, { format: { case: 'schemaRegistry', value: {} } })
  return compileRoute(useCase, { ...sampleMeans, schemas: () => source })
}

/** For tests: a use case that retries quickly, three times at most. */
export const sampleUseCase = (
  ordering: Plan['ordering'],
  url = 'http://127.0.0.1:9/rows',
  topic = 't',
  filter = '',
  batch: Batching | undefined = undefined,
): UseCase =>
  create(UseCaseSchema, {
    ...{ name: 'namespaces/demo/useCases/one', uid: 'u1', revision: 1n },
    spec: {
      source: { topic },
      filter,
      decode: { format: { case: 'json', value: {} } },
      destination: { url, ...(batch && { batch }) },
      delivery: { ordering: Ordering[ordering] },
      retry: {
        ...{ initialInterval: durationFromMs(200), maximumInterval: durationFromMs(1000), jitterRatio: 0, maxRetries: 3 },
      },
    },
  })

export const sampleMeans: RouteMeans = {
  limits: defaultDecodeLimits,
  egress: readEgressRules('loopback'),
  keys: readSecretKeys(''),
  jsonata: { evaluate: async (_expression, text) => text },
}

/** For tests: the same, each record a CloudEvent. */
export function sampleEventsRoute(ordering: Plan['ordering'], url: string, batch: Batching): Route {
  const useCase = sampleUseCase(ordering, url, undefined, '', batch)
  useCase.spec!.destination!.cloudEvents = create(CloudEventsSchema, { mode: CloudEventsMode.STRUCTURED })
  return compileRoute(useCase, sampleMeans)
}

export const sampleRoute = (ordering: Plan['ordering'], url?: string, topic?: string, filter?: string, batch?: Batching): Route =>
  compileRoute(sampleUseCase(ordering, url, topic, filter, batch), sampleMeans)

import { clone, create } from '@bufbuild/protobuf'
import {
  DeliveryClass,
  DeliveryPolicySchema,
  OnExhausted,
  PartitionOffsetsSchema,
  RateLimitSchema,
  StatusAction,
  type UseCase,
  UseCaseSchema,
  type UseCaseSpec,
  UseCaseSpecSchema,
  UseCaseState,
} from '../../proto/gen/ferry/v1/use_case_pb.ts'
import type { FleetDefinition } from '../fleet/session-parts.ts'
import { endsOf, fleetUidOf, isRunning, type ReplayRecord } from './replay.ts'

export const defaultRecordsPerSecond = 100

/**
 * A replay as the fleet and its workers work by it: the use case's definition, as it is now, with a beginning and an end. Without the use case, or when
 * it is over, only its lanes are left to be removed.
 */
export function replayDefinition(record: ReplayRecord, useCase: UseCase | undefined): FleetDefinition {
  const spec = useCase?.spec
  const definition = create(UseCaseSchema, {
    ...{ name: record.replay.useCase, uid: fleetUidOf(record), revision: useCase?.revision ?? 0n },
    spec: spec ? replaySpec(record, spec) : { source: { cluster: record.cluster, topic: record.topic } },
    status: { state: stateOf(record, useCase) },
  })
  return Object.assign(definition, { ends: endsOf(record) })
}

/** To the endpoint nothing goes while its use case is paused; a shadow is another endpoint. */
function stateOf(record: ReplayRecord, useCase: UseCase | undefined): UseCaseState {
  const state = useCase?.status?.state
  if (!isRunning(record) || state === undefined || state === UseCaseState.DELETING) return UseCaseState.DELETING
  return record.replay.url === '' ? state : UseCaseState.ACTIVE
}

function replaySpec({ replay }: ReplayRecord, asked: UseCaseSpec): UseCaseSpec {
  const spec = clone(UseCaseSpecSchema, asked)
  const offsets = Object.fromEntries(replay.ranges.map(({ partition, fromOffset }) => [partition, fromOffset!]))
  spec.source!.start = { case: 'offsets', value: create(PartitionOffsetsSchema, { offsets }) }
  spec.delivery ??= create(DeliveryPolicySchema)
  const own = spec.delivery.rateLimit
  const pace = replay.recordsPerSecond ?? defaultRecordsPerSecond
  spec.delivery.rateLimit = create(RateLimitSchema, { ...own, recordsPerSecond: Math.min(pace, own?.recordsPerSecond ?? pace) })
  // All are wanted, and nobody but this replay waits for them.
  spec.delivery.latestVersionWins = false
  spec.delivery.class = DeliveryClass.UNSPECIFIED
  if (spec.retry) Object.assign(spec.retry, { onExhausted: OnExhausted.UNSPECIFIED, deadLetterTopic: '' })
  const destination = spec.destination!
  destination.endpointGroup = ''
  if (replay.url === '') return spec
  destination.url = replay.url
  // What a shadow answers is no reason to pause the use case.
  if (spec.retry) spec.retry.statusRules = spec.retry.statusRules.filter(({ action }) => action !== StatusAction.PAUSE)
  if (!replay.withCredentials) {
    delete destination.auth
    delete destination.signing
    delete destination.tls
  }
  return spec
}

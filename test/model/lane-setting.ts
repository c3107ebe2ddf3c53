import { GiveUp, Ordering } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { compileRoute, type Route } from '../../worker/deliver/route.ts'
import type { LaneLimits } from '../../worker/lane/lane-limits.ts'
import { sampleMeans, sampleUseCase } from '../../worker/lane/sample-route.ts'
import type { Bounds } from './bounds.ts'
import type { Safeguards } from './safeguards.ts'

/** What an owner's lane is made with, the same for all owners of a scenario. */
export interface LaneSetting {
  readonly keys: string
  readonly ordering: Bounds['ordering']
  readonly route: Route
  readonly limits: LaneLimits
  readonly on: Safeguards
  /** Parked deliveries, and removals, of one checkpoint. */
  readonly entriesMax: number
}

export function laneSettingOf({ keys, ordering, attemptsMax, creditMax, entriesMax }: Bounds, on: Safeguards): LaneSetting {
  const useCase = sampleUseCase(ordering)
  useCase.spec!.delivery!.ordering = Ordering[ordering]
  useCase.spec!.retry!.maxRetries = attemptsMax - 1
  if (!on.credit) useCase.spec!.retry!.giveUp = GiveUp.UNFUNDED
  return {
    ...{ keys, ordering, on, entriesMax, route: compileRoute(useCase, sampleMeans) },
    // Nothing is full here: bytes stay in Kafka.
    limits: { parkedMax: 1000, parkedBytesMax: 0, creditMax, bufferBytesMax: 1_000_000 },
  }
}

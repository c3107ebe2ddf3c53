import { Concurrency, DeliveryClass, type UseCase, type UseCaseSpec } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { defaults } from './defaults.ts'

/** What a use case says of its endpoint's limits; undefined where it says nothing. */
export interface AskedLimits {
  readonly maxInFlight: number | undefined
  readonly concurrency: Concurrency | undefined
  readonly recordsPerSecond: number | undefined
  readonly bytesPerSecond: number | undefined
}

/** A use case that shares its endpoint with others. */
export interface GroupMember {
  /** `{namespace}/{endpoint_group}`. */
  readonly group: string
  readonly isBackfill: boolean
  readonly asked: AskedLimits
}

/** What the use cases of a group may do together. */
export interface GroupLimits {
  readonly maxInFlight: number
  /** FIXED or ADAPTIVE. */
  readonly concurrency: Concurrency
  readonly recordsPerSecond: number | undefined
  readonly bytesPerSecond: number | undefined
}

/** Undefined for a use case that shares its endpoint with no other. */
export function memberOf({ name, spec }: Pick<UseCase, 'name' | 'spec'>): GroupMember | undefined {
  const group = spec?.destination?.endpointGroup
  if (!group) return undefined
  const isBackfill = spec.delivery?.class === DeliveryClass.BACKFILL
  return { group: `${name.split('/')[1]}/${group}`, isBackfill, asked: askedLimits(spec) }
}

export function askedLimits({ delivery }: UseCaseSpec): AskedLimits {
  const maxInFlight = delivery?.maxInFlight
  return {
    maxInFlight,
    // A limit without more is a fixed one.
    concurrency: delivery?.concurrency || (maxInFlight === undefined ? undefined : Concurrency.FIXED),
    recordsPerSecond: delivery?.rateLimit?.recordsPerSecond,
    bytesPerSecond: delivery?.rateLimit?.bytesPerSecond,
  }
}

/** Members say the same, or nothing; where two changes at once have got round that, the strictest holds. */
export function groupLimits(members: readonly AskedLimits[]): GroupLimits {
  const least = (of: (asked: AskedLimits) => number | undefined): number | undefined => {
    const said = members.map(of).filter((each) => each !== undefined)
    return said.length === 0 ? undefined : Math.min(...said)
  }
  const isFixed = members.some(({ concurrency }) => concurrency === Concurrency.FIXED)
  return {
    maxInFlight: least((each) => each.maxInFlight) ?? (isFixed ? defaults.maxInFlight : defaults.maxInFlightAdaptive),
    concurrency: isFixed ? Concurrency.FIXED : Concurrency.ADAPTIVE,
    recordsPerSecond: least((each) => each.recordsPerSecond),
    bytesPerSecond: least((each) => each.bytesPerSecond),
  }
}

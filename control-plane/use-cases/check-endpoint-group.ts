import { Concurrency, DeliveryClass, type UseCase, UseCaseState } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { type AskedLimits, memberOf } from './endpoint-group.ts'
import type { Violation } from './violation.ts'

const path = 'use_case.spec'
const fields: Readonly<Record<keyof AskedLimits, string>> = {
  maxInFlight: 'max_in_flight',
  concurrency: 'concurrency',
  recordsPerSecond: 'rate_limit.records_per_second',
  bytesPerSecond: 'rate_limit.bytes_per_second',
}

/** Who goes first can be said among several only. */
export function checkClass({ spec }: UseCase): Violation[] {
  if (spec?.delivery?.class !== DeliveryClass.BACKFILL || spec.destination?.endpointGroup) return []
  const field = `${path}.delivery.class`
  const description = `${field} BACKFILL needs destination.endpoint_group, which says to whom it yields: name the group of the use case that is LIVE, or leave class out`
  return [{ field, description, reason: 'CLASS_WITHOUT_GROUP' }]
}

/** Limits that another use case of the same endpoint group says otherwise. others: all use cases. */
export function checkGroupLimits(useCase: UseCase, others: Iterable<UseCase>): Violation[] {
  const member = memberOf(useCase)
  if (member === undefined) return []
  const violations = new Map<string, Violation>()
  for (const other of others) {
    if (other.name === useCase.name || other.status?.state === UseCaseState.DELETING) continue
    const its = memberOf(other)
    if (its?.group !== member.group) continue
    for (const key of Object.keys(fields) as (keyof AskedLimits)[]) {
      const [given, said] = [member.asked[key], its.asked[key]]
      if (given === undefined || said === undefined || given === said) continue
      const field = `${path}.delivery.${fields[key]}`
      if (!violations.has(field)) violations.set(field, disagreement(field, useCase, other, word(key, given), word(key, said)))
    }
  }
  return [...violations.values()]
}

function disagreement(field: string, { spec }: UseCase, other: UseCase, given: string, said: string): Violation {
  const group = spec!.destination!.endpointGroup
  const description = `${field} is ${said} in ${other.name}, which shares endpoint_group ${group}; given ${given}: give the same, or leave it out of one of them, since what one says holds for all`
  return { field, description, reason: 'GROUP_LIMITS' }
}

const word = (key: keyof AskedLimits, value: number): string =>
  key !== 'concurrency' ? String(value) : value === Concurrency.FIXED ? 'FIXED' : 'ADAPTIVE'

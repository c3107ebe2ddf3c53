import { create } from '@bufbuild/protobuf'
import { type UseCaseSpec, UseCaseSpecSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { differences } from './differences.ts'
import type { Violation } from './violation.ts'

/** Fields that decide where a lane stands and what may overtake what: a change would make its state mean something else. */
export function checkImmutable(before: UseCaseSpec, after: UseCaseSpec): Violation[] {
  return differences(immutablePart(before), immutablePart(after)).map(({ path, before: was, after: is }) => {
    const field = `use_case.${path}`
    const description = `${field} cannot change after creation: it is ${was}; given ${is}. Create another use case for it`
    return { field, description, reason: 'IMMUTABLE_FIELD' }
  })
}

function immutablePart({ source, delivery }: UseCaseSpec): UseCaseSpec {
  const ordering = delivery?.ordering
  return create(UseCaseSpecSchema, { ...(source && { source }), ...(ordering && { delivery: { ordering } }) })
}

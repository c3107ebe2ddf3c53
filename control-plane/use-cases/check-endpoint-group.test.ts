import { create } from '@bufbuild/protobuf'
import { expect, test } from 'vitest'
import {
  Concurrency,
  DeliveryClass,
  type UseCase,
  UseCaseState,
  UseCaseStatusSchema,
} from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { checkClass, checkGroupLimits } from './check-endpoint-group.ts'
import { askedLimits, groupLimits, memberOf } from './endpoint-group.ts'
import { sampleUseCase } from './sample-use-case.ts'

type Delivery = NonNullable<NonNullable<Parameters<typeof sampleUseCase>[1]>['delivery']>

const member = (id: string, delivery: Delivery, endpointGroup = 'shop', namespace = 'team'): UseCase =>
  sampleUseCase(`namespaces/${namespace}/useCases/${id}`, { destination: { url: 'http://a.example/', endpointGroup }, delivery })

test('BACKFILL needs a group to yield to', () => {
  const backfill = { class: DeliveryClass.BACKFILL }
  expect(checkClass(member('a', backfill))).toEqual([])
  expect(checkClass(member('a', { class: DeliveryClass.LIVE }, ''))).toEqual([])
  expect(checkClass(member('a', backfill, ''))).toEqual([
    {
      field: 'use_case.spec.delivery.class',
      description:
        'use_case.spec.delivery.class BACKFILL needs destination.endpoint_group, which says to whom it yields: name the group of the use case that is LIVE, or leave class out',
      reason: 'CLASS_WITHOUT_GROUP',
    },
  ])
})

test('limits of a group are said by one member, or the same by several', () => {
  const live = member('live', { maxInFlight: 64, rateLimit: { recordsPerSecond: 100 } })
  const others = [live, member('other', { maxInFlight: 7 }, 'other'), member('far', { maxInFlight: 7 }, 'shop', 'far')]
  const check = (delivery: Delivery) => checkGroupLimits(member('backfill', delivery), others)
  expect([check({}), check({ maxInFlight: 64 }), check({ rateLimit: { bytesPerSecond: 5 } })].flat()).toEqual([])
  // What changes is not held against what it was.
  expect(checkGroupLimits(member('live', { maxInFlight: 3 }), others)).toEqual([])
  expect(checkGroupLimits(member('alone', { maxInFlight: 3 }, ''), others)).toEqual([])
  const violations = check({ maxInFlight: 65, concurrency: Concurrency.ADAPTIVE, rateLimit: { recordsPerSecond: 0.5 } })
  expect(violations.map(({ field, reason }) => [field, reason])).toEqual([
    ['use_case.spec.delivery.max_in_flight', 'GROUP_LIMITS'],
    ['use_case.spec.delivery.concurrency', 'GROUP_LIMITS'],
    ['use_case.spec.delivery.rate_limit.records_per_second', 'GROUP_LIMITS'],
  ])
  expect(violations[0]!.description).toBe(
    'use_case.spec.delivery.max_in_flight is 64 in namespaces/team/useCases/live, which shares endpoint_group shop; given 65: give the same, or leave it out of one of them, since what one says holds for all',
  )
  expect(violations[1]!.description).toMatch(/concurrency is FIXED in .*; given ADAPTIVE/)
  live.status = create(UseCaseStatusSchema, { state: UseCaseState.DELETING })
  expect(check({ maxInFlight: 65 })).toEqual([])
})

test('a group has the limits that its members say, the strictest where they differ nevertheless', () => {
  const asked = (delivery: Delivery) => askedLimits(member('a', delivery).spec!)
  const unlimited = { recordsPerSecond: undefined, bytesPerSecond: undefined }
  const { ADAPTIVE, FIXED } = Concurrency
  expect(groupLimits([asked({}), asked({})])).toEqual({ maxInFlight: 1024, concurrency: ADAPTIVE, ...unlimited })
  expect(groupLimits([asked({}), asked({ concurrency: FIXED })])).toMatchObject({ maxInFlight: 64, concurrency: FIXED })
  expect(groupLimits([asked({ maxInFlight: 9 }), asked({})])).toMatchObject({ maxInFlight: 9, concurrency: FIXED })
  const both = [
    asked({ maxInFlight: 9, concurrency: ADAPTIVE, rateLimit: { recordsPerSecond: 9 } }),
    asked({ maxInFlight: 8, concurrency: ADAPTIVE, rateLimit: { recordsPerSecond: 10, bytesPerSecond: 11 } }),
  ]
  expect(groupLimits(both)).toEqual({ maxInFlight: 8, concurrency: ADAPTIVE, recordsPerSecond: 9, bytesPerSecond: 11 })
})

test('a group is of its namespace', () => {
  expect(memberOf(member('a', { class: DeliveryClass.BACKFILL }))).toMatchObject({ group: 'team/shop', isBackfill: true })
  expect(memberOf(member('a', {}, 'shop', 'far'))).toMatchObject({ group: 'far/shop', isBackfill: false })
  expect(memberOf(member('a', {}, ''))).toBeUndefined()
})

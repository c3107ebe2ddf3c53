import { create } from '@bufbuild/protobuf'
import { expect, test } from 'vitest'
import { DeliveryPolicySchema, Ordering } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { checkDelivery } from './check-delivery.ts'

const check = (rateLimit?: { recordsPerSecond?: number; bytesPerSecond?: number }) =>
  checkDelivery(create(DeliveryPolicySchema, rateLimit === undefined ? {} : { rateLimit }))

test('a rate limit has records, bytes or both', () => {
  expect([undefined, { recordsPerSecond: 0.5 }, { bytesPerSecond: 1000 }].flatMap((each) => check(each))).toEqual([])
  expect(check({})).toEqual([
    {
      field: 'use_case.spec.delivery.rate_limit',
      description:
        'use_case.spec.delivery.rate_limit must have records_per_second, bytes_per_second or both; given neither: leave rate_limit out for no limit',
      reason: 'RATE_LIMIT_EMPTY',
    },
  ])
})

test('the latest version wins in KEY order only, which says what is a version of what', () => {
  const reasons = (ordering: Ordering, latestVersionWins = true) =>
    checkDelivery(create(DeliveryPolicySchema, { ordering, latestVersionWins })).map(({ reason }) => reason)
  expect(reasons(Ordering.KEY)).toEqual([])
  expect(reasons(Ordering.UNORDERED, false)).toEqual([])
  const { UNSPECIFIED, UNORDERED, PARTITION } = Ordering
  for (const ordering of [UNSPECIFIED, UNORDERED, PARTITION]) expect(reasons(ordering)).toEqual(['LATEST_VERSION_ORDER'])
})

import { create } from '@bufbuild/protobuf'
import { expect, test } from 'vitest'
import { GiveUp, OnExhausted, Ordering, UseCaseSpecSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { checkBlocking } from './check-blocking.ts'

const check = (ordering: Ordering, giveUp: GiveUp = GiveUp.UNSPECIFIED, onExhausted: OnExhausted = OnExhausted.BLOCK) =>
  checkBlocking(create(UseCaseSpecSchema, { delivery: { ordering }, retry: { onExhausted, giveUp } })).map(({ reason }) => reason)

test('blocking is for orders in which something waits behind, and gives nothing up', () => {
  expect(check(Ordering.KEY)).toEqual([])
  expect(check(Ordering.PARTITION)).toEqual([])
  expect(check(Ordering.UNSPECIFIED)).toEqual(['BLOCK_UNORDERED'])
  expect(check(Ordering.UNORDERED, GiveUp.UNFUNDED)).toEqual(['BLOCK_UNORDERED', 'GIVE_UP_EXCLUSIVE'])
  expect(check(Ordering.KEY, GiveUp.FUNDED)).toEqual(['GIVE_UP_EXCLUSIVE'])
  expect(check(Ordering.UNORDERED, GiveUp.FUNDED, OnExhausted.CONTINUE)).toEqual([])
})

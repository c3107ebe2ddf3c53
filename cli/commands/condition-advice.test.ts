import { expect, test } from 'vitest'
import { LaneConditionSchema } from '../../proto/gen/ferry/v1/lane_pb.ts'
import { conditionAdvice } from './condition-advice.ts'

test('for every condition of a lane there is something to do', () => {
  const without = LaneConditionSchema.values.filter(({ number }) => number !== 0 && !(number in conditionAdvice))
  expect(without.map(({ name }) => name)).toEqual([])
})

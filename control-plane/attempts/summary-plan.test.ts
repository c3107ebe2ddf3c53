import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { SummarizeRequestSchema } from '../../proto/gen/ferry/v1/summary_pb.ts'
import { intervalsMax, planSummary } from './summary-plan.ts'

const hourMs = 3_600_000
const now = 1_796_079_999_000
const plan = (request: MessageInitShape<typeof SummarizeRequestSchema>) =>
  planSummary(create(SummarizeRequestSchema, request), now)

test('without anything it is the last hour in minutes', () => {
  expect(plan({})).toEqual({ fromS: 1_796_076_360, toS: 1_796_080_020, intervalS: 60, table: 'attempt_minutes' })
})

test('the intervals hold the whole time, begin at multiples of their length, and are never too many', () => {
  const span = fc.integer({ min: 1, max: 400 * 24 * 60 }).map((minutes) => minutes * 60_000)
  fc.assert(
    fc.property(span, fc.nat(hourMs), (ms, shift) => {
      const toMs = now - shift
      const planned = plan({ fromTime: timestampFromMs(toMs - ms), toTime: timestampFromMs(toMs) })
      if (!('table' in planned)) throw new Error('refused')
      const { fromS, toS, intervalS, table } = planned
      expect(fromS * 1000).toBeLessThanOrEqual(toMs - ms)
      expect(toS * 1000).toBeGreaterThanOrEqual(toMs)
      expect([fromS % intervalS, toS % intervalS]).toEqual([0, 0])
      expect((toS - fromS) / intervalS).toBeLessThanOrEqual(intervalsMax)
      expect(table).toBe(intervalS % 3600 === 0 ? 'attempt_hours' : 'attempt_minutes')
    }),
  )
})

test('what cannot be answered says what can', () => {
  const problem = (request: MessageInitShape<typeof SummarizeRequestSchema>) => {
    const planned = plan(request)
    return 'table' in planned ? [] : planned.map(({ field, description }) => [field, description])
  }
  const month = { fromTime: timestampFromMs(now - 30 * 24 * hourMs) }
  expect(problem({ ...month, interval: { seconds: 60n } })).toEqual([
    [
      'interval',
      expect.stringContaining('makes 43201 intervals of the time asked for, and at most 1500 are answered: give interval 21600s'),
    ],
  ])
  expect(problem({ interval: { seconds: 90n } })).toEqual([['interval', expect.stringContaining('given 90s')]])
  expect(problem({ fromTime: timestampFromMs(now) })).toEqual([['from_time', expect.stringContaining('before to_time')]])
})

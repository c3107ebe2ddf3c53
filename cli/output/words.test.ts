import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { expect, test } from 'vitest'
import { OutcomeSchema } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { enumValue, enumWord } from './enum-words.ts'
import { oneLine, plainText } from './plain-text.ts'
import { progressBar, RateWindow } from './progress-bar.ts'
import { ageWords, durationWords, timeAndAge } from './words.ts'

const nowMs = Date.parse('2026-01-31T12:00:00Z')

test('durations are said in two units at most', () => {
  const said = [0.25, 9.96, 250, 1500, 61_000, 3_600_000, 12_000_000, 200_000_000].map(durationWords)
  expect(said).toEqual(['250 µs', '10 ms', '250 ms', '1.5 s', '1 min 1 s', '1 h', '3 h 20 min', '2 d 8 h'])
})

test('times are said absolute, in UTC, and relative', () => {
  expect(timeAndAge(timestampFromMs(nowMs - 180_000), nowMs)).toBe('2026-01-31 11:57:00Z (3 min ago)')
  expect(ageWords(timestampFromMs(nowMs + 7_200_000), nowMs)).toBe('in 2 h')
  expect(ageWords(timestampFromMs(nowMs), nowMs)).toBe('now')
  expect(ageWords(undefined, nowMs)).toBe('')
})

test('what comes from elsewhere cannot steer the terminal', () => {
  expect(plainText('a\u001b[2Jb\u0007\u009b1m\u202ec')).toBe('a\\x1b[2Jb\\x07\\x9b1m\\u{202e}c')
  expect(oneLine(' two\r\n  lines\t')).toBe('two lines')
})

test('enum values go by their last words, in any case', () => {
  expect(enumWord(OutcomeSchema, 2)).toBe('FAILED')
  expect(enumWord(OutcomeSchema, 0)).toBe('')
  expect(enumWord(OutcomeSchema, 99)).toBe('99')
  expect(['failed', 'FAILED', 'OUTCOME_FAILED'].map((word) => enumValue(OutcomeSchema, word))).toEqual([2, 2, 2])
  expect(enumValue(OutcomeSchema, 'unspecified')).toBeUndefined()
})

test('progress has a bar where there is room, a rate and the time that is left', () => {
  const progress = { done: 250, total: 1000, perSecond: 10, notes: ['3 failed again'] }
  expect(progressBar(progress, 120)).toBe('━━━━━━┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄    250 / 1,000   25%  10/s  ETA 1:15  3 failed again')
  expect(progressBar(progress, 60)).toBe('  250 / 1,000   25%  10/s  ETA 1:15  3 failed again')
  expect(progressBar({ ...progress, perSecond: undefined }, 120)).toContain('ETA –')
  expect(progressBar({ ...progress, done: 1000, notes: [] }, 120)).toContain('100%  10/s  ETA 0:00')
})

test('the rate is that of the last seconds', () => {
  const rate = new RateWindow(10_000)
  expect(rate.perSecond()).toBeUndefined()
  for (let second = 0; second <= 60; second++) rate.add(second * 1000, second < 30 ? second : 30 + (second - 30) * 5)
  expect(rate.perSecond()).toBe(5)
})

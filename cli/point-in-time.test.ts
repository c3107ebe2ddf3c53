import { timestampMs } from '@bufbuild/protobuf/wkt'
import { expect, test } from 'vitest'
import { parseDurationMs } from './duration.ts'
import { parseTime, parseTimeAhead } from './point-in-time.ts'

const nowMs = Date.parse('2026-01-31T12:00:00Z')
const read = (text: string): string => new Date(timestampMs(parseTime(text, '--since', nowMs))).toISOString()

test('durations have units, and may be put together', () => {
  expect(['500ms', '90s', '1h30m', '2d', '1.5h'].map((text) => parseDurationMs(text, 'x'))).toEqual([
    500, 90_000, 5_400_000, 172_800_000, 5_400_000,
  ])
  for (const wrong of ['', '5', 's', '1 h', '-1s', '0s', '1y'])
    expect(() => parseDurationMs(wrong, '--timeout'), wrong).toThrow('--timeout')
})

test('a time is so long ago, or a date, in UTC where it says nothing else', () => {
  expect(read('15m')).toBe('2026-01-31T11:45:00.000Z')
  expect(read('now')).toBe('2026-01-31T12:00:00.000Z')
  expect(read('2026-01-30')).toBe('2026-01-30T00:00:00.000Z')
  expect(read('2026-01-30 10:30')).toBe('2026-01-30T10:30:00.000Z')
  expect(read('2026-01-30T10:30:05+02:00')).toBe('2026-01-30T08:30:05.000Z')
  for (const wrong of ['yesterday', '2026', '2026-13-01', '10:30', '31.01.2026'])
    expect(() => read(wrong), wrong).toThrow('--since')
})

test('a time ahead is so long from now', () => {
  expect(timestampMs(parseTimeAhead('2h', '--until', nowMs))).toBe(nowMs + 7_200_000)
})

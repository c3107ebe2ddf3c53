import fc from 'fast-check'
import { expect, test } from 'vitest'
import { retryAfterMs } from './retry-after.ts'

const nowMs = Date.UTC(1994, 10, 6, 8, 49, 7)

test('seconds are seconds', () => {
  expect(retryAfterMs('120', nowMs)).toBe(120_000)
  expect(retryAfterMs('0', nowMs)).toBe(0)
  expect(retryAfterMs(' 5 ', nowMs)).toBe(5000)
})

test('all three forms of an HTTP date say the same', () => {
  for (const text of ['Sun, 06 Nov 1994 08:49:37 GMT', 'Sunday, 06-Nov-94 08:49:37 GMT', 'Sun Nov  6 08:49:37 1994'])
    expect(retryAfterMs(text, nowMs)).toBe(30_000)
})

test('a date that is over asks for no wait', () => {
  expect(retryAfterMs('Sun, 06 Nov 1994 08:49:00 GMT', nowMs)).toBe(0)
  expect(retryAfterMs('Thu, 01 Jan 1970 00:00:00 GMT', nowMs)).toBe(0)
  expect(retryAfterMs('Mon, 01 Jan 0050 00:00:00 GMT', nowMs)).toBe(0)
})

test('a two-digit year is at most 50 years ahead', () => {
  const at = Date.UTC(2026, 0, 1)
  expect(retryAfterMs('Thursday, 01-Jan-76 00:00:00 GMT', at)).toBe(Date.UTC(2076, 0, 1) - at)
  expect(retryAfterMs('Friday, 01-Jan-77 00:00:00 GMT', at)).toBe(0)
  expect(retryAfterMs('Friday, 01-Jan-05 00:00:00 GMT', Date.UTC(2099, 0, 1))).toBe(Date.UTC(2105, 0, 1) - Date.UTC(2099, 0, 1))
})

test('a leap second is a second', () => {
  expect(retryAfterMs('Sun, 06 Nov 1994 08:49:60 GMT', nowMs)).toBe(53_000)
})

test('a huge number of seconds is a huge wait, also when no number holds it', () => {
  expect(retryAfterMs('99999999999', nowMs)).toBe(99_999_999_999_000)
  expect(retryAfterMs('9'.repeat(400), nowMs)).toBe(Number.POSITIVE_INFINITY)
})

test('what is neither is undefined', () => {
  const bad = [
    '',
    '-1',
    '1.5',
    '1e3',
    '0x10',
    '5 s',
    '1, 2',
    'soon',
    '1994-11-06T08:49:37Z',
    'Sun, 6 Nov 1994 08:49:37 GMT',
    'Sun, 06 Nov 1994 08:49:37 UTC',
    'Sun, 06 Nov 1994 24:49:37 GMT',
    'Sun, 31 Feb 1994 08:49:37 GMT',
    'Sun, 00 Nov 1994 08:49:37 GMT',
    'Sun, 06-Nov-94 08:49:37 GMT',
    'Sun Nov 06 08:49:37 GMT 1994',
  ]
  for (const text of bad) expect([text, retryAfterMs(text, nowMs)]).toEqual([text, undefined])
})

test('every date that JavaScript writes is read back to the second', () => {
  const seconds = fc.integer({ min: 0, max: 4_000_000_000 })
  fc.assert(
    fc.property(seconds, seconds, (at, now) => {
      expect(retryAfterMs(new Date(at * 1000).toUTCString(), now * 1000)).toBe(Math.max(0, at - now) * 1000)
    }),
  )
})

test('no text makes it throw or answer a negative wait', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(retryAfterMs(text, nowMs) ?? 0).toBeGreaterThanOrEqual(0)
    }),
  )
})

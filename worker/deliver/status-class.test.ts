import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Reason } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { PlanError } from './plan-error.ts'
import {
  compileStatusClasses,
  FINAL,
  failsEndpoint,
  NO_ANSWER,
  RETRYABLE,
  SUCCESS,
  speaksOfRecord,
  statusClass,
  statusReason,
} from './status-class.ts'

const statuses = (classes: Uint8Array, wanted: number): number[] =>
  Array.from({ length: 1000 }, (_, status) => status).filter((status) => statusClass(classes, status) === wanted)

const between = (first: number, last: number): number[] => Array.from({ length: last - first + 1 }, (_, at) => first + at)

describe('by default', () => {
  const classes = compileStatusClasses([], [])

  test('2xx is success; 408, 425, 429 and 5xx but 501 are worth another attempt; so is no answer', () => {
    expect(statuses(classes, SUCCESS)).toEqual(between(200, 299))
    expect(statuses(classes, RETRYABLE)).toEqual([NO_ANSWER, 408, 425, 429, 500, ...between(502, 599)])
  })

  test('redirects and statuses out of range are final', () => {
    for (const status of [301, 302, 307, 308, 600, 999]) expect(statusClass(classes, status)).toBe(FINAL)
  })

  test('exactly 400, 409, 413, 415 and 422 speak of the record', () => {
    expect(between(0, 999).filter((status) => speaksOfRecord(classes, status))).toEqual([400, 409, 413, 415, 422])
  })

  test('no answer, 429 and every 5xx count against the endpoint, and nothing else', () => {
    expect(between(0, 999).filter((status) => failsEndpoint(classes, status))).toEqual([NO_ANSWER, 429, ...between(500, 599)])
  })

  test('each class has its reason', () => {
    expect([SUCCESS, RETRYABLE, FINAL].map((each) => statusReason(each as 0))).toEqual([
      Reason.UNSPECIFIED,
      Reason.RETRYABLE_STATUS,
      Reason.NON_RETRYABLE_STATUS,
    ])
  })
})

test('an exclusion counts wherever it stands in the list', () => {
  for (const list of [
    ['500-503', '!502'],
    ['!502', '500-503'],
  ])
    expect(statuses(compileStatusClasses([], list), RETRYABLE)).toEqual([NO_ANSWER, 500, 501, 503])
})

test('a list of exclusions alone takes them from the default', () => {
  const classes = compileStatusClasses([], ['!503', '!400-499'])
  expect(statuses(classes, RETRYABLE)).toEqual([NO_ANSWER, 500, 502, ...between(504, 599)])
})

test('a status in both lists is a success, and then does not count against the endpoint', () => {
  const classes = compileStatusClasses(['200', '503'], ['500-599'])
  expect(statusClass(classes, 503)).toBe(SUCCESS)
  expect(failsEndpoint(classes, 503)).toBe(false)
})

test('a record status keeps its flag when it is retryable', () => {
  const classes = compileStatusClasses([], ['409'])
  expect(statusClass(classes, 409)).toBe(RETRYABLE)
  expect(speaksOfRecord(classes, 409)).toBe(true)
})

test('1xx never ends an answer, whatever is listed', () => {
  expect(statuses(compileStatusClasses(['100-299'], ['100-199']), SUCCESS)).toEqual(between(200, 299))
})

test('what is no range is refused with its field', () => {
  for (const bad of ['299-200', '20', '600', '2xx', '', '200-', '!200'])
    expect(() => compileStatusClasses([bad], [])).toThrow(PlanError)
  expect(() => compileStatusClasses([], ['!'])).toThrow(/retryable_status/)
})

test('every status has the class that the lists give it', () => {
  const status = fc.integer({ min: 100, max: 599 })
  const range = fc.tuple(status, status).map(([a, b]) => [Math.min(a, b), Math.max(a, b)] as const)
  const text = ([first, last]: readonly [number, number]): string => (first === last ? String(first) : `${first}-${last}`)
  const lists = fc.record({
    success: fc.array(range, { minLength: 1, maxLength: 4 }),
    retry: fc.array(range, { minLength: 1, maxLength: 4 }),
    not: fc.array(range, { maxLength: 3 }),
  })
  fc.assert(
    fc.property(lists, status, ({ success, retry, not }, at) => {
      const within = (list: (readonly [number, number])[]): boolean => list.some(([first, last]) => first <= at && at <= last)
      const classes = compileStatusClasses(success.map(text), [...not.map((each) => `!${text(each)}`), ...retry.map(text)])
      const expected = at < 200 ? FINAL : within(success) ? SUCCESS : within(retry) && !within(not) ? RETRYABLE : FINAL
      expect(statusClass(classes, at)).toBe(expected)
    }),
  )
})

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readFailures } from './batch-answer.ts'

const read = (answer: unknown, count = 5) => readFailures(Buffer.from(JSON.stringify(answer)), true, count)

test.each([
  '',
  'OK',
  '[{"failures":[{"index":0}]}]',
  '"failures"',
  '{}',
  '  {"taken": 5}',
  '{"failures": null}',
  '{"failures": []}',
  '{"note": "no \\"failures\\" here"}',
  'null',
])('%j names no failures', (answer) => {
  expect(readFailures(Buffer.from(answer), true, 5)).toEqual([])
})

test('failures are read with everything that they say', () => {
  const failures = [
    { index: 3, status: 422, error: 'unknown customer', retry: false },
    { index: 0, retry: true },
    { index: 4, status: 503, error: { code: 7 } },
    { index: 1, status: null, error: null, retry: null },
  ]
  expect(read({ taken: 1, failures })).toEqual([
    { index: 3, status: 422, error: 'unknown customer', retry: false },
    { index: 0, status: 0, error: '', retry: true },
    { index: 4, status: 503, error: '{"code":7}', retry: undefined },
    { index: 1, status: 0, error: '', retry: undefined },
  ])
})

test('long errors are cut', () => {
  expect(read({ failures: [{ index: 0, error: 'x'.repeat(10_000) }] })).toMatchObject([{ error: 'x'.repeat(500) }])
})

test.each([
  [{ failures: 3 }, 'is no list'],
  [{ failures: [3] }, 'no object'],
  [{ failures: [{}] }, 'index not given; the batch has 0 to 4'],
  [{ failures: [{ index: 5 }] }, 'index 5; the batch has 0 to 4'],
  [{ failures: [{ index: -1 }] }, 'index -1'],
  [{ failures: [{ index: 1.5 }] }, 'index 1.5'],
  [{ failures: [{ index: '1' }] }, 'index "1"'],
  [{ failures: [{ index: 1 }, { index: 1 }] }, 'index 1 twice'],
  [{ failures: [{ index: 1, status: 42 }] }, 'status 42 at index 1; it must be from 100 to 599'],
  [{ failures: [{ index: 1, retry: 'no' }] }, 'retry "no" at index 1; it must be true or false'],
])('%j is not as documented, and the text says why', (answer, words) => {
  expect(read(answer)).toContain(words)
})

test('an object that was not read whole, or is none, says nothing: nothing counts as taken', () => {
  expect(readFailures(Buffer.from('{"taken": ['), false, 5)).toContain('longer than 1 MiB')
  expect(readFailures(Buffer.from('["taken", ['), false, 5)).toEqual([])
  expect(readFailures(Buffer.from('{"failures": ['), true, 5)).toContain('is no JSON')
})

test('whatever is answered, it is a list of failures of the batch or a text', () => {
  const anything = fc.oneof(
    fc.json(),
    fc.string(),
    fc.record({ failures: fc.jsonValue() }).map((each) => JSON.stringify(each)),
  )
  fc.assert(
    fc.property(anything, fc.integer({ min: 1, max: 9 }), (answer, count) => {
      const failures = readFailures(Buffer.from(answer), true, count)
      if (typeof failures === 'string') return
      expect(failures.every(({ index }) => index >= 0 && index < count)).toBe(true)
      expect(new Set(failures.map(({ index }) => index)).size).toBe(failures.length)
    }),
  )
})

import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { canonicalJson, type Json } from './canonical-json.ts'

test('names are sorted as RFC 8785 sorts them, and texts are written as it writes them', () => {
  // The example of its section 3.2.3.
  const example = { '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\ud83d\ude00': 5, '\u0080': 6, '\u00f6': 7 }
  const names = [...canonicalJson(example).matchAll(/"((?:[^"\\]|\\.)*)":/g)].map((match) => match[1])
  expect(names).toEqual(['\\r', '1', '\u0080', '\u00f6', '\u20ac', '\ud83d\ude00', '\ufb33'])
  expect(canonicalJson({ b: [1, 'a\u000f"\\/\n'], a: null, c: undefined, d: { y: true, x: -5 } })).toBe(
    '{"a":null,"b":[1,"a\\u000f\\"\\\\/\\n"],"d":{"x":-5,"y":true}}',
  )
})

test('the same content has the same text in whatever order it comes, and reads back', () => {
  const value = fc.object({ values: [fc.integer(), fc.string({ unit: 'binary' }), fc.boolean(), fc.constant(null)] })
  fc.assert(
    fc.property(value, (given) => {
      const text = canonicalJson(given as Json)
      expect(JSON.parse(text)).toEqual(given)
      expect(canonicalJson(reversed(given) as Json)).toBe(text)
    }),
    { numRuns: 30 },
  )
})

test('a number that languages write differently is refused', () => {
  for (const number of [1.5, Number.NaN, 2 ** 53]) expect(() => canonicalJson({ number })).toThrow(RangeError)
})

function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([name, each]) => [name, reversed(each)]),
  )
}

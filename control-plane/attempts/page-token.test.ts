import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { readPageToken, writePageToken } from './page-token.ts'

const number = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER })
const position = fc.tuple(number, fc.string(), number)
const form: readonly [number, string, number] = [0, '', 0]

test('a token says where its page ended', () => {
  fc.assert(
    fc.property(position, fc.string(), (where, list) => {
      expect(readPageToken(writePageToken(where, list), list, form)).toEqual(where)
    }),
  )
})

test('a token of another list is refused', () => {
  fc.assert(
    fc.property(position, fc.string(), fc.string(), (where, list, other) => {
      fc.pre(list !== other)
      expect(readPageToken(writePageToken(where, list), other, form)).toBeUndefined()
    }),
  )
})

test('a token that was changed is refused', () => {
  fc.assert(
    fc.property(position, fc.nat(), fc.integer({ min: 1, max: 255 }), (where, at, change) => {
      const bytes = Buffer.from(writePageToken(where, 'list'), 'base64url')
      bytes[at % bytes.length]! ^= change
      expect(readPageToken(bytes.toString('base64url'), 'list', form)).toBeUndefined()
    }),
  )
})

test('what is no token is refused', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      expect(readPageToken(text, 'list', form)).toBeUndefined()
    }),
  )
})

test('a token of our own making with another form is refused', () => {
  const forged = [
    [1, 'a'],
    [1, 2, 3],
    [1, 'a', -1],
    [1, 'a', 1.5],
    ['1', 'a', 3],
    [1, 'a', 3, 4],
  ]
  for (const words of forged) expect(readPageToken(writePageToken(words, 'list'), 'list', form)).toBeUndefined()
})

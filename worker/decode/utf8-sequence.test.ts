import { isUtf8 } from 'node:buffer'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { utf8SequenceLength } from './utf8-sequence.ts'

function isWellFormed(bytes: Buffer): boolean {
  let pos = 0
  while (pos < bytes.length) {
    const length = bytes[pos]! < 128 ? 1 : utf8SequenceLength(bytes, pos, bytes.length)
    if (length === 0) return false
    pos += length
  }
  return true
}

it('finds every well-formed sequence and no other', () => {
  const byte = fc.oneof(
    fc.constantFrom(0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf),
    fc.integer({ min: 0xe0, max: 0xff }),
  )
  fc.assert(
    fc.property(fc.array(byte, { maxLength: 5 }), (bytes) => {
      expect(isWellFormed(Buffer.from(bytes))).toBe(isUtf8(Buffer.from(bytes)))
    }),
    { numRuns: 5000 },
  )
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      expect(isWellFormed(Buffer.from(text))).toBe(true)
    }),
  )
})

it('takes no byte from behind the end', () => {
  const bytes = Buffer.from('é')
  expect(utf8SequenceLength(bytes, 0, 1)).toBe(0)
  expect(utf8SequenceLength(bytes, 0, 2)).toBe(2)
})

import { isUtf8 } from 'node:buffer'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { utf8Fault } from './utf8-fault.ts'

const edges = fc.constantFrom(0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf)
const byte = fc.oneof(edges, fc.integer({ min: 0xe0, max: 0xff }))

it('finds no fault in UTF-8, and one in all else', () => {
  fc.assert(
    fc.property(fc.array(byte, { maxLength: 5 }), (bytes) => {
      expect(utf8Fault(Buffer.from(bytes), 0, bytes.length) === bytes.length).toBe(isUtf8(Buffer.from(bytes)))
    }),
    { numRuns: 5000 },
  )
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const bytes = Buffer.from(text)
      expect(utf8Fault(bytes, 0, bytes.length)).toBe(bytes.length)
    }),
  )
})

it('names the first byte that is wrong', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.constantFrom(0x80, 0xc0, 0xff), (text, wrong) => {
      const bytes = Buffer.concat([Buffer.from(text), Buffer.from([wrong]), Buffer.from(text)])
      expect(utf8Fault(bytes, 0, bytes.length)).toBe(Buffer.byteLength(text))
    }),
  )
})

it('takes no byte from behind the end', () => {
  const bytes = Buffer.from('aé')
  expect(utf8Fault(bytes, 0, 2)).toBe(1)
  expect(utf8Fault(bytes, 0, 3)).toBe(3)
})

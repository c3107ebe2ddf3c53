import fc from 'fast-check'
import { expect, test } from 'vitest'
import { crc32c } from './crc32c.ts'

test('gives the check values of RFC 3720 and of the catalogue of CRC algorithms', () => {
  const of = (bytes: Buffer): number => crc32c(bytes, 0, bytes.length)
  expect(of(Buffer.from('123456789'))).toBe(0xe3069283)
  expect(of(Buffer.alloc(32))).toBe(0x8a9136aa)
  expect(of(Buffer.alloc(32, 0xff))).toBe(0x62a8ab43)
  expect(of(Buffer.alloc(0))).toBe(0)
})

test('any single flipped bit changes it, wherever the bytes begin and end', () => {
  const bytes = fc.uint8Array({ minLength: 1, maxLength: 64 })
  fc.assert(
    fc.property(bytes, fc.nat(), fc.nat({ max: 9 }), (given, bit, margin) => {
      const buffer = Buffer.concat([Buffer.alloc(margin, 7), given, Buffer.alloc(3)])
      const end = margin + given.length
      const before = crc32c(buffer, margin, end)
      expect(before).toBe(crc32c(Buffer.from(given), 0, given.length))
      const at = margin + (Math.floor(bit / 8) % given.length)
      buffer[at] = buffer[at]! ^ (1 << (bit % 8))
      expect(crc32c(buffer, margin, end)).not.toBe(before)
    }),
  )
})

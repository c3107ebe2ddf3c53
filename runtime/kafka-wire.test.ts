import fc from 'fast-check'
import { expect, test } from 'vitest'
import { WireReader, WireWriter } from './kafka-wire.ts'

const id = fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('base64url'))

test.for([true, false])('what is written is read again, with compact lengths: %s', (isFlexible) => {
  const texts = fc.array(fc.string({ maxLength: 300 }), { maxLength: 200 })
  fc.assert(
    fc.property(texts, fc.maxSafeInteger(), fc.integer(), fc.boolean(), id, (all, int64, int32, boolean, uuid) => {
      const writer = new WireWriter(isFlexible).int64(int64).int32(int32).boolean(boolean).uuid(uuid).uuid('').array(all.length)
      for (const each of all) writer.string(each).tags()
      const reader = new WireReader(writer.tags().finish(), isFlexible)
      const item = (): string | null => {
        const text = reader.string()
        reader.tags()
        return text
      }
      // Sixteen zero bytes are no id.
      const isNone = Buffer.from(uuid, 'base64url').every((byte) => byte === 0)
      expect([reader.int64(), reader.int32(), reader.boolean(), reader.uuid(), reader.uuid()]).toEqual([
        ...[int64, int32, boolean, isNone ? '' : uuid, ''],
      ])
      expect(reader.array(item)).toEqual(all)
      reader.tags()
      expect(() => reader.int8()).toThrow(RangeError)
    }),
  )
})

test('tagged fields that are not known are skipped, and nothing is read beyond the end', () => {
  const reader = new WireReader(Buffer.from([2, 0, 1, 9, 200, 1, 2, 7, 7, 5]), true)
  reader.tags()
  expect(reader.int8()).toBe(5)
  const told: number[] = []
  const known = new WireReader(Buffer.from([2, 0, 1, 9, 3, 2, 7, 7, 5]), true)
  known.tags((tag) => {
    if (tag === 0) told.push(known.int8())
  })
  expect([told, known.int8()]).toEqual([[9], 5])
  expect(() => new WireReader(Buffer.from([9, 1]), true).string()).toThrow(/7 bytes too soon/)
})

test('what is absent is null, empty or nothing', () => {
  const compact = new WireReader(Buffer.from([0, 0, 0]), true)
  expect([compact.string(), compact.bytes().length, compact.array(() => 1)]).toEqual([null, 0, []])
  const classic = new WireReader(Buffer.from('ffffffffffffffffffff', 'hex'), false)
  expect([classic.string(), classic.bytes().length, classic.array(() => 1)]).toEqual([null, 0, []])
})

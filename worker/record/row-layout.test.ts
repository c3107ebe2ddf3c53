import fc from 'fast-check'
import { expect, test } from 'vitest'
import { encodeAttempt, encodeLane, rowBytesMax } from './encode-attempt.ts'
import type { FastBuffer } from './row-binary.ts'
import { findRowEnds } from './row-layout.ts'
import { sampleAttempt, sampleLane } from './sample-log.ts'

const lane = encodeLane(sampleLane)

test('the ends of rows are found in their bytes, whatever is in them', () => {
  const anything = fc.uint8Array({ maxLength: 400 }).map((each) => Buffer.from(each))
  fc.assert(
    fc.property(fc.array(fc.tuple(anything, fc.string()), { maxLength: 20 }), (bodies) => {
      const rows = bodies.map(([requestBody, error], offset) =>
        sampleAttempt({ requestBody, error, offset, packed: requestBody }),
      )
      const out = Buffer.alloc(rows.reduce((sum, row) => sum + rowBytesMax(lane, row), 0)) as FastBuffer
      const ends: number[] = []
      for (const row of rows) ends.push(encodeAttempt(out, ends.at(-1) ?? 0, lane, row))
      const bytes = out.subarray(0, ends.at(-1) ?? 0)
      expect(findRowEnds(bytes)).toEqual(ends)
      if (bytes.length > 0) expect(() => findRowEnds(bytes.subarray(0, -1))).toThrow(RangeError)
    }),
  )
})

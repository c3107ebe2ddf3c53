import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Attempt } from './attempt.ts'
import { encodeAttempt, encodeLane, rowBytesMax } from './encode-attempt.ts'
import type { FastBuffer } from './row-binary.ts'
import { sampleAttempt, sampleLane } from './sample-log.ts'
import { stripRow } from './strip-row.ts'

const encode = (row: Attempt, columns = sampleLane): Buffer => {
  const lane = encodeLane(columns)
  const out = Buffer.alloc(rowBytesMax(lane, row)) as FastBuffer
  return out.subarray(0, encodeAttempt(out, 0, lane, row))
}

describe('a row that is stripped', () => {
  test('is the row of the same attempt without headers and bodies, with a mark', () => {
    const anything = fc.uint8Array({ maxLength: 400 }).map((each) => Buffer.from(each))
    fc.assert(
      fc.property(anything, anything, anything, fc.string(), fc.nat(), (requestBody, responseBody, packed, error, offset) => {
        const row = sampleAttempt({ requestBody, responseBody, packed, error, offset })
        const bare = { ...row, requestHeaders: [], responseHeaders: [], responseBody: Buffer.alloc(0), packed: Buffer.alloc(0) }
        const expected = encode(
          { ...bare, error: error === '' ? 'mark' : `mark: ${error}` },
          { ...sampleLane, requestBodyBytesMax: 0 },
        )
        expect(stripRow(encode(row), 'mark')).toEqual(expected)
      }),
    )
  })

  test('is refused when it is no row', () => {
    expect(() => stripRow(encode(sampleAttempt()).subarray(0, 40), 'mark')).toThrow(RangeError)
    expect(() => stripRow(Buffer.concat([encode(sampleAttempt()), Buffer.from([1])]), 'mark')).toThrow(RangeError)
  })
})

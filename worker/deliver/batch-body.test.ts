import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type BodyPart, envelopeOf, FRAME_BYTES, joinParts, partBytes } from './batch-body.ts'

/** JSON as anybody may write it: in one line or in many. */
const json = fc
  .tuple(fc.jsonValue(), fc.constantFrom(undefined, ' ', '\t', '\n'), fc.constantFrom('', '\r\n', ' '))
  .map(([value, space, around]) => ({
    value,
    text: `${around}${JSON.stringify(value, null, space).replaceAll('\n', around === '\r\n' ? '\r\n' : '\n')}${around}`,
  }))
const records = fc.array(json, { minLength: 1, maxLength: 12 })

const partsOf = (given: readonly { text: string }[], envelope: (at: number) => string): BodyPart[] =>
  given.map(({ text }, at) => ({ body: Buffer.from(text), envelope: envelope(at) }))
const sizeOf = (parts: readonly BodyPart[]): number => parts.reduce((sum, part) => sum + partBytes(part), FRAME_BYTES)

test('an array has all values in their order, and is as long as was counted', () => {
  fc.assert(
    fc.property(records, (given) => {
      const parts = partsOf(given, () => '')
      const body = joinParts(parts, parts.length, sizeOf(parts), false)
      expect(JSON.parse(body.toString())).toEqual(given.map(({ value }) => JSON.parse(JSON.stringify(value))))
      expect(body).toHaveLength(sizeOf(parts))
    }),
  )
})

test('NDJSON has each value on a line of its own, however it was written', () => {
  fc.assert(
    fc.property(records, (given) => {
      const parts = partsOf(given, () => '')
      const lines = joinParts(parts, parts.length, sizeOf(parts), true)
        .toString()
        .split(/\r\n|\r|\n/)
      expect(lines.pop()).toBe('')
      expect(lines.map((line) => JSON.parse(line))).toEqual(given.map(({ value }) => JSON.parse(JSON.stringify(value))))
    }),
  )
})

test.each([false, true])('envelopes name each record (NDJSON: %s)', (isNdjson) => {
  const parts = partsOf([{ text: '{"a":1}' }, { text: '"two"' }], (at) =>
    envelopeOf(`u1/default/t/0/${at}`, `t/0/${at}`, '5.0.1'),
  )
  const body = joinParts(parts, 2, sizeOf(parts), isNdjson).toString()
  const items = isNdjson
    ? body
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line))
    : JSON.parse(body)
  expect(items).toEqual([
    { id: 'u1/default/t/0/0', record: 't/0/0', attempt: '5.0.1', value: { a: 1 } },
    { id: 'u1/default/t/0/1', record: 't/0/1', attempt: '5.0.1', value: 'two' },
  ])
})

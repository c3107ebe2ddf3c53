import fc from 'fast-check'
import { expect, test } from 'vitest'
import { readTraceContext } from './trace-context.ts'

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1')
const read = (traceparent: Buffer, tracestate?: Buffer | Buffer[]) => readTraceContext({ traceparent, tracestate })
const parent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01'

test('a valid traceparent is passed on as it is', () => {
  expect(read(bytes(parent))).toEqual({ traceparent: parent, tracestate: undefined })
  const later = `cc${parent.slice(2)}-what-the-future-adds`
  expect(read(bytes(later))?.traceparent).toBe(later)
})

test('one that is not valid is left out, and tracestate with it', () => {
  const bad = [
    '',
    `ff${parent.slice(2)}`,
    parent.toUpperCase(),
    `00-${'0'.repeat(32)}-b7ad6b7169203331-01`,
    '00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01',
    `${parent}-more`,
    `${parent}\r\nx: y`,
    ` ${parent}`,
    parent.slice(0, -1),
    `cc${parent.slice(2)}-${'x'.repeat(100)}`,
  ]
  for (const text of bad) expect([text, read(bytes(text), bytes('a=b'))]).toEqual([text, undefined])
})

test('tracestate goes along when it is valid, without empty members', () => {
  expect(read(bytes(parent), bytes('congo=t61rcWkgMzE , ,\trojo@x=00f067aa0ba902b7,'))?.tracestate).toBe(
    'congo=t61rcWkgMzE,rojo@x=00f067aa0ba902b7',
  )
})

test('a tracestate that is not valid does not cost the traceparent', () => {
  const many = Array.from({ length: 33 }, (_, i) => `k${i}=v`).join(',')
  for (const text of [
    '',
    ' , ',
    'novalue',
    'A=b',
    'a=b=c',
    'a=b\r\nx: y',
    'a=\x80',
    `a=${'x'.repeat(257)}`,
    many,
    'a=b,'.repeat(200),
  ])
    expect([text, read(bytes(parent), bytes(text))]).toEqual([text, { traceparent: parent, tracestate: undefined }])
})

test('a record without the header, or with two of them, has no trace; two tracestates are one list', () => {
  expect(readTraceContext({})).toBe(undefined)
  expect(readTraceContext({ traceparent: [bytes(parent), bytes(parent)] })).toBe(undefined)
  expect(read(bytes(parent), [bytes('a=1'), bytes('b=2')])?.tracestate).toBe('a=1,b=2')
  expect(readTraceContext({ traceparent: parent, tracestate: 'a=1' })).toEqual({ traceparent: parent, tracestate: 'a=1' })
})

test('whatever a record holds, only printable ASCII comes out', () => {
  const anything = fc.uint8Array({ maxLength: 40 }).map((each) => Buffer.from(each))
  fc.assert(
    fc.property(anything, anything, (tail, state) => {
      const found = read(Buffer.concat([bytes(`cc${parent.slice(2)}-`), tail]), Buffer.concat([bytes('a='), state]))
      if (found !== undefined) expect(`${found.traceparent}${found.tracestate ?? ''}`).toMatch(/^[\x20-\x7e]+$/)
      expect(read(bytes(parent), Buffer.concat([bytes('a='), state]))?.tracestate ?? '').toMatch(/^[\x20-\x7e]*$/)
    }),
  )
})

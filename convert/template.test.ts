import { expect, test } from 'vitest'
import { compileTemplate } from './template.ts'

const source = { topic: 'orders', partition: 3 }
const record = (key: Buffer | string | null, headers: Record<string, Buffer | (Buffer | string)[]> = {}) => ({
  ...{ offset: '42', key: key === null ? null : Buffer.from(key), value: null, timestamp: '0', headers },
})
const fill = (text: string, key: Buffer | string | null = 'k', headers = {}) =>
  compileTemplate(text)(record(key, headers), source)

test('a constant is itself, and places are filled from the record', () => {
  expect(fill('com.acme.order')).toBe('com.acme.order')
  expect(fill('')).toBe('')
  expect(fill('{topic}/{partition}#{offset}:{key}')).toBe('orders/3#42:k')
  expect(fill('{header:x-kind}.v1', 'k', { 'x-kind': Buffer.from('placed') })).toBe('placed.v1')
  expect(fill('{header:a}', 'k', { a: [Buffer.from('first'), Buffer.from('last')] })).toBe('last')
  expect(compileTemplate('/k/{key}/ü', encodeURIComponent)(record('a/b ü'), source)).toBe('/k/a%2Fb%20%C3%BC/ü')
})

test.each<[string, Buffer | string | null]>([
  ['no key', null],
  ['an empty key', ''],
  ['a key that is no UTF-8', Buffer.from([0xff])],
  ['a key with a line end', 'a\nb'],
  ['a key with a C1 control', 'a\u0085'],
  ['a key that is too long', 'x'.repeat(1025)],
])('with %s there is no text at all', (_what, key) => {
  expect(fill('com.{key}', key)).toBeUndefined()
})

test('neither is there with a header that the record does not have, whatever its name', () => {
  for (const name of ['a', 'constructor', '__proto__']) expect(fill(`x{header:${name}}`)).toBeUndefined()
})

test('a key of the greatest length is filled in', () => {
  expect(fill('{key}', 'ü'.repeat(1024))).toHaveLength(1024)
})

test.each([
  ['{', /brace/],
  ['a}', /brace/],
  ['{topic', /brace/],
  ['{{topic}}', /brace/],
  ['{value}', /has \{value\}; there are \{topic\}/],
  ['{}', /has \{\}/],
  ['{header:}', /without a name/],
  ['{constructor}', /has \{constructor\}/],
])('%s is no template', (text, words) => {
  expect(() => compileTemplate(text)).toThrow(words)
})

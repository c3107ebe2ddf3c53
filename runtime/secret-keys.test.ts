import { randomBytes } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { keyIdOf, readSecretKeys, referenceOf, SecretError } from './secret-keys.ts'

const newKey = (id: string): string => `${id}:${randomBytes(32).toString('base64')}`
const [one, two] = [newKey('k1'), newKey('k2')]
const keys = readSecretKeys(one)

const codeOf = (work: () => unknown): string => {
  try {
    work()
  } catch (error) {
    return error instanceof SecretError ? error.code : String(error)
  }
  return 'none'
}

test('what is sealed opens again for its owner, and shows nothing of itself', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', minLength: 8, maxLength: 200 }), (secret) => {
      const sealed = keys.seal(secret, 'owner')
      expect(keys.open(sealed, 'owner')).toBe(secret)
      expect(sealed).not.toContain(secret)
      expect(referenceOf(sealed)).toMatch(/^s-[0-9a-f]{20}$/)
      expect(keyIdOf(sealed)).toBe('k1')
      expect(keys.seal(secret, 'owner')).not.toBe(sealed)
    }),
  )
})

test('a text that was changed anywhere, or that is another owner’s, does not open', () => {
  const sealed = keys.seal('hunter2', 'owner')
  expect(codeOf(() => keys.open(sealed, 'another'))).toBe('KEY_WRONG')
  for (let at = 0; at < sealed.length; at++) {
    const other = sealed[at] === 'a' ? 'b' : 'a'
    const changed = sealed.slice(0, at) + other + sealed.slice(at + 1)
    // The last letter of base64 has bits that say nothing.
    if (at < sealed.length - 1)
      expect(
        codeOf(() => keys.open(changed, 'owner')),
        changed,
      ).toMatch(/^KEY_/)
  }
  for (const text of ['', 's-1', 's-1.k1', 's-1.k1.x', 's-1.k1.x.y', `${sealed}.z`.slice(0, -20)])
    expect(codeOf(() => keys.open(text, 'owner'))).toMatch(/^KEY_/)
})

test('the first key seals and each opens, so that keys can be rotated', () => {
  const old = keys.seal('hunter2', 'owner')
  const both = readSecretKeys(`${two}, ${one}`)
  expect(both.open(old, 'owner')).toBe('hunter2')
  expect(keyIdOf(both.seal('hunter2', 'owner'))).toBe('k2')
  expect(codeOf(() => readSecretKeys(two).open(old, 'owner'))).toBe('KEY_MISSING')
  expect(codeOf(() => readSecretKeys(newKey('k1')).open(old, 'owner'))).toBe('KEY_WRONG')
  expect(codeOf(() => readSecretKeys('').seal('hunter2', 'owner'))).toBe('NO_KEYS')
})

test('a fingerprint is the same for the same secret, and another under another key', () => {
  expect(keys.fingerprint('a')).toBe(keys.fingerprint('a'))
  expect(keys.fingerprint('a')).not.toBe(keys.fingerprint('b'))
  expect(keys.fingerprint('a')).not.toBe(readSecretKeys(two).fingerprint('a'))
})

test.each([
  'k1',
  'k1:',
  'K1:AAAA',
  `k1:${randomBytes(31).toString('base64')}`,
  `${one}:x`,
  `${one},${one}`,
  `:${one}`,
  `${one},`,
])('a list that is wrong is refused without its keys', (text) => {
  expect(() => readSecretKeys(text)).toThrow(/must/)
  const material = one.slice(3)
  expect(() => readSecretKeys(text)).not.toThrow(material)
})

import { create } from '@bufbuild/protobuf'
import { expect, test } from 'vitest'
import { SigningSchema } from '../../proto/gen/ferry/v1/credentials_pb.ts'
import { checkSigning } from './check-signing.ts'

const check = (...values: string[]) =>
  checkSigning('signing', create(SigningSchema, { keys: values.map((value) => ({ value })) }))
const good = `whsec_${Buffer.alloc(32, 1).toString('base64')}`

test('a key of the standard is right; one that cannot be opened here is not looked at', () => {
  expect(check(good)).toEqual([])
  expect(check(good, '')).toEqual([])
})

test('every key that is none is said, with what would be right and nothing of the key', () => {
  const problems = check('hunter2hunter2', 'whsec_hunter2=')
  expect(problems.map(({ field, reason }) => [field, reason])).toEqual([
    ['signing.keys[0]', 'SIGNING_KEY'],
    ['signing.keys[1]', 'SIGNING_KEY'],
  ])
  expect(problems[0]!.description).toMatch(
    /^signing\.keys\[0\] must be a key of Standard Webhooks, such as .*: it must begin with/,
  )
  expect(JSON.stringify(problems)).not.toContain('hunter2')
})

test('the same key twice is no rotation', () => {
  expect(check(good, good)[0]!.description).toMatch(/must differ from keys\[0\]/)
})

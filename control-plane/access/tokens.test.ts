import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { Role } from '../../proto/gen/ferry/v1/access_pb.ts'
import { TokenSchema } from '../../proto/gen/ferry/v1/token_service_pb.ts'
import { privateStack } from '../../test/stack.ts'
import type { SampleControl } from '../store/sample-control.ts'
import { openSampleAccess, SampleAccess, wholeAdmin } from './sample-access.ts'
import { hashOf } from './token-secret.ts'

let stack: Awaited<ReturnType<typeof privateStack>>
let access: SampleAccess & { control: SampleControl }

beforeAll(async () => {
  stack = await privateStack({ redis: true })
})
afterAll(() => stack?.[Symbol.asyncDispose]())
beforeEach(async () => {
  access = await openSampleAccess(stack.redisUrl, 3)
})
afterEach(() => access.control.close())

const asked = (more: MessageInitShape<typeof TokenSchema> = {}) =>
  create(TokenSchema, { role: Role.OPERATOR, namespaces: ['shop'], description: 'on call', ...more })
const make = (id: string, more: MessageInitShape<typeof TokenSchema> = {}, by = wholeAdmin) =>
  access.tokens.create(id, asked(more), by)
const shopAdmin = {
  identity: { name: 'tokens/shop-admin', role: Role.ADMIN, namespaces: new Set(['shop', 'till']) },
  actor: 'tokens/shop-admin for ann',
}
const changes = async (): Promise<Record<string, string>[]> => {
  const entries = await access.control.redis.xrange(access.control.keys.outbox, '-', '+')
  return entries.map(([, [, row]]) => JSON.parse(row!))
}

test('a secret is answered once; Redis and the audit have its hash, and who made it', async () => {
  const { token, secret } = await make('ci', {}, shopAdmin)
  expect(secret).toMatch(/^ferry_[A-Za-z0-9_-]{43}$/)
  expect(token).toMatchObject({ name: 'tokens/ci', role: Role.OPERATOR, namespaces: ['shop'], creator: shopAdmin.actor })
  const { tokens } = await access.tokens.list(wholeAdmin.identity, 0, '', false)
  expect(tokens).toEqual([token])
  const kept = JSON.stringify([await access.control.redis.hgetall(access.control.keys.tokens), await changes()])
  expect(kept).toContain(hashOf(secret))
  expect(kept).not.toContain(secret)
  expect(await changes()).toMatchObject([
    { action: 'CREATE_TOKEN', actor: shopAdmin.actor, resource: 'tokens/ci', namespace: '', use_case: '', before: '' },
  ])
})

test('an id is used once, also when its token has ended', async () => {
  await make('ci')
  await expect(make('ci')).rejects.toMatchObject({ code: 'TOKEN_EXISTS' })
  await access.tokens.revoke('tokens/ci', '', wholeAdmin)
  await expect(make('ci')).rejects.toMatchObject({ code: 'TOKEN_EXISTS' })
})

test('a revoked token is taken for a second at most, at whatever replica', async () => {
  const other = new SampleAccess(access.control)
  const { secret } = await make('ci')
  expect(await access.known.find(hashOf(secret))).toMatchObject({ name: 'tokens/ci' })
  expect(await other.known.find(hashOf(secret))).toMatchObject({ name: 'tokens/ci' })
  const revoked = await access.tokens.revoke('tokens/ci', 'it leaked', wholeAdmin)
  expect(revoked.revokeTime).toBeDefined()
  expect(await access.tokens.revoke('tokens/ci', 'again', wholeAdmin)).toEqual(revoked)
  other.monotonicMs += 1001
  access.monotonicMs += 1001
  expect(await access.known.find(hashOf(secret))).toBeUndefined()
  expect(await other.known.find(hashOf(secret))).toBeUndefined()
  expect(await changes()).toMatchObject([{ action: 'CREATE_TOKEN' }, { action: 'REVOKE_TOKEN', reason: 'it leaked' }])
  expect((await access.tokens.list(wholeAdmin.identity, 0, '', false)).tokens).toEqual([])
  expect((await access.tokens.list(wholeAdmin.identity, 0, '', true)).tokens).toMatchObject([{ name: 'tokens/ci' }])
})

test('a token that another replica has just made is known without waiting', async () => {
  const other = new SampleAccess(access.control)
  await other.known.find('0')
  other.monotonicMs += 60
  const { secret } = await make('ci')
  expect(await other.known.find(hashOf(secret))).toMatchObject({ name: 'tokens/ci' })
})

test('a token is taken until it expires', async () => {
  const { secret } = await make('ci', { expireTime: timestampFromMs(access.nowMs + 1000) })
  expect(await access.known.find(hashOf(secret))).toBeDefined()
  access.nowMs += 1000
  expect(await access.known.find(hashOf(secret))).toBeUndefined()
})

test('what was known goes on while Redis is away or has lost everything, and nobody is known who was not', async () => {
  const { secret } = await make('worker', { role: Role.WORKER, namespaces: ['*'] })
  expect(await access.known.find(hashOf(secret))).toBeDefined()
  await access.control.redis.del(...Object.values(access.control.keys))
  access.monotonicMs += 5000
  expect(await access.known.find(hashOf(secret))).toBeDefined()
  expect(await access.known.find('0')).toBeUndefined()
  await expect(new SampleAccess(access.control).known.find(hashOf(secret))).rejects.toMatchObject({ code: 'STATE_UNAVAILABLE' })
})

test('the last use is kept to within ten minutes', async () => {
  const { secret } = await make('ci')
  const lastUse = async () => (await access.tokens.list(wholeAdmin.identity, 0, '', false)).tokens[0]!.lastUseTime
  expect(await lastUse()).toBeUndefined()
  const first = access.nowMs
  await access.known.find(hashOf(secret))
  await expect.poll(lastUse).toEqual(timestampFromMs(first))
  access.nowMs += 599_000
  await access.known.find(hashOf(secret))
  expect(await lastUse()).toEqual(timestampFromMs(first))
  access.nowMs += 1000
  await access.known.find(hashOf(secret))
  await expect.poll(lastUse).toEqual(timestampFromMs(first + 600_000))
})

test('an admin of some namespaces gives, sees and revokes what has no others', async () => {
  await make('pay', { namespaces: ['pay'] })
  await make('all', { namespaces: ['*'] })
  for (const namespaces of [['shop', 'pay'], ['*'], ['pay']])
    await expect(make('more', { namespaces }, shopAdmin)).rejects.toMatchObject({ code: 'PERMISSION_DENIED' })
  const { token } = await make('own', { namespaces: ['till', 'shop'] }, shopAdmin)
  expect((await access.tokens.list(shopAdmin.identity, 0, '', true)).tokens).toEqual([token])
  for (const name of ['tokens/pay', 'tokens/all', 'tokens/none'])
    await expect(access.tokens.revoke(name, '', shopAdmin)).rejects.toMatchObject({ code: 'TOKEN_NOT_FOUND' })
  await access.tokens.revoke('tokens/own', '', shopAdmin)
})

test('a wrong token is refused with every mistake at once', async () => {
  const expireTime = timestampFromMs(access.nowMs - 1)
  await expect(make('w', { role: Role.WORKER, namespaces: ['shop'], expireTime })).rejects.toMatchObject({
    code: 'INVALID_REQUEST',
    violations: [{ field: 'token.namespaces' }, { field: 'token.expire_time' }],
  })
  await expect(make('w', { namespaces: ['shop', '*'] })).rejects.toThrow('must be * alone')
})

test('as many tokens are kept as may be; those that have ended make room, the oldest first', async () => {
  for (const id of ['a', 'b', 'c']) {
    await make(id)
    access.nowMs += 1000
  }
  await expect(make('d')).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
  for (const id of ['b', 'a']) {
    await access.tokens.revoke(`tokens/${id}`, '', wholeAdmin)
    access.nowMs += 1000
  }
  await make('d')
  const all = (await access.tokens.list(wholeAdmin.identity, 0, '', true)).tokens
  expect(all.map(({ name }) => name)).toEqual(['tokens/a', 'tokens/c', 'tokens/d'])
  const first = await access.tokens.list(wholeAdmin.identity, 2, '', true)
  const second = await access.tokens.list(wholeAdmin.identity, 2, first.nextPageToken, true)
  expect([...first.tokens, ...second.tokens]).toEqual(all)
  expect(second.nextPageToken).toBe('')
})

test('where nobody is asked who they are a token is refused: it would protect nothing', async () => {
  const open = new SampleAccess(access.control, 3, true)
  await expect(open.tokens.create('ci', asked(), wholeAdmin)).rejects.toMatchObject({ code: 'ACCESS_OPEN' })
})

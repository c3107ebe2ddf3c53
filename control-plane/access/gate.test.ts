import { create } from '@bufbuild/protobuf'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { Role } from '../../proto/gen/ferry/v1/access_pb.ts'
import { TokenSchema } from '../../proto/gen/ferry/v1/token_service_pb.ts'
import { privateStack } from '../../test/stack.ts'
import type { SampleControl } from '../store/sample-control.ts'
import { namesOf, readCertificateRoles } from './certificate-roles.ts'
import { openSampleAccess, SampleAccess, wholeAdmin } from './sample-access.ts'

let stack: Awaited<ReturnType<typeof privateStack>>
let access: SampleAccess & { control: SampleControl }
let secret: string

beforeAll(async () => {
  stack = await privateStack({ redis: true })
})
afterAll(() => stack?.[Symbol.asyncDispose]())
beforeEach(async () => {
  access = await openSampleAccess(stack.redisUrl)
  const token = create(TokenSchema, { role: Role.OPERATOR, namespaces: ['shop'] })
  secret = (await access.tokens.create('ci', token, wholeAdmin)).secret
})
afterEach(() => access.control.close())

const method = 'ferry.v1.UseCaseService/PauseUseCase'
const admit = (header: Record<string, string>, names: readonly string[] = [], by: SampleAccess = access) =>
  by.gate.admit({ header: new Headers(header), method, certificateNames: () => names })
const bearer = (text: string) => ({ authorization: `Bearer ${text}` })
const shop = { role: Role.OPERATOR, namespaces: new Set(['shop']) }

test('who calls is the token, the certificate, or the configured admin; what they say of themselves comes after it', async () => {
  expect(await admit(bearer(secret))).toEqual({ identity: { name: 'tokens/ci', ...shop }, actor: 'tokens/ci' })
  expect(await admit({ authorization: `bearer  ${secret}`, 'ferry-actor': ' ann ' })).toMatchObject({
    actor: 'tokens/ci for ann',
  })
  expect(await admit(bearer(SampleAccess.adminSecret))).toMatchObject({ identity: { name: 'admin', namespaces: undefined } })
  const names = ['cn:nobody', 'uri:spiffe://acme/ci']
  expect((await admit({}, names)).identity).toEqual({
    ...{ name: 'certificates/uri:spiffe://acme/ci', role: Role.EDITOR, namespaces: new Set(['shop', 'billing']) },
  })
  // Whoever sends a token means that one.
  expect((await admit(bearer(secret), ['dns:worker.acme'])).identity.name).toBe('tokens/ci')
})

test('everybody else is refused, and told how to say who they are', async () => {
  const refused: [Record<string, string>, readonly string[], string][] = [
    [{}, [], 'Send a token as the header authorization'],
    [{}, ['dns:stranger'], 'no role is configured for this client certificate (dns:stranger)'],
    [bearer(`ferry_${'a'.repeat(43)}`), [], 'the token is not known'],
    [bearer(`ferry_${'a'.repeat(43)}`), ['dns:worker.acme'], 'the token is not known'],
    [bearer('secret'), [], 'must be: Bearer, and ferry_ with 43 characters'],
    [{ authorization: `Basic ${secret}` }, [], 'must be: Bearer'],
    [{ 'ferry-caller': 'e30.AAAA' }, ['dns:worker.acme'], 'the header ferry-caller is for replicas only'],
    [{ ...bearer(secret), 'ferry-caller': '' }, [], 'the header ferry-caller is for replicas only'],
  ]
  for (const [header, names, message] of refused) {
    const error = await admit(header, names).then(
      () => undefined,
      (reason: unknown) => reason as Error,
    )
    expect(error, message).toMatchObject({ code: 'UNAUTHENTICATED', message: expect.stringContaining(message) })
    expect(error!.message).not.toContain(secret)
  }
})

test('a call that is handed on keeps its caller, for this method and for half a minute', async () => {
  const leader = new SampleAccess(access.control)
  const caller = await admit({ ...bearer(secret), 'ferry-actor': 'ann' })
  const header = await access.gate.handOn(caller, new Headers(bearer(secret)), method)
  expect(Object.keys(header)).toEqual(['ferry-caller'])
  expect(JSON.stringify(header)).not.toContain(secret)
  expect(await admit(header, [], leader)).toEqual(caller)

  const signed = header['ferry-caller']!
  const [body, mac] = signed.split('.') as [string, string]
  const claims = JSON.parse(String(Buffer.from(body, 'base64url')))
  const forged = Buffer.from(JSON.stringify({ ...claims, role: Role.ADMIN, namespaces: null })).toString('base64url')
  const other = { header: new Headers(header), method: 'ferry.v1.UseCaseService/DeleteUseCase', certificateNames: () => [] }
  await expect(leader.gate.admit(other)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
  for (const text of [`${forged}.${mac}`, `${body}.${mac}.x`, body, `${body}.`, 'x'.repeat(20_000), '.'])
    await expect(admit({ 'ferry-caller': text }, [], leader), text.slice(0, 50)).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
    })
  leader.nowMs += 30_001
  await expect(admit(header, [], leader)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
})

test('replicas sign with one key, also when Redis has lost it or gives another', async () => {
  const leader = new SampleAccess(access.control)
  const caller = await admit(bearer(secret))
  const signed = await access.handOver.sign(caller, method)
  expect(await leader.handOver.verify(signed, method)).toEqual(caller)
  const { redis, keys } = access.control
  await redis.set(keys.handOverKey, Buffer.alloc(32, 7).toString('base64'))
  access.nowMs += 10_001
  leader.nowMs += 5000
  expect(await leader.handOver.verify(await access.handOver.sign(caller, method), method)).toEqual(caller)
  await redis.del(keys.handOverKey)
  expect(await leader.handOver.verify(await access.handOver.sign(caller, method), method)).toEqual(caller)
})

test('a call that is handed on by a replica that asks nobody shows its token to the leader', async () => {
  const open = new SampleAccess(access.control, 10, true)
  const header = new Headers({ ...bearer(secret), 'ferry-actor': 'ann', 'x-other': '1' })
  const caller = await open.gate.admit({ header, method, certificateNames: () => [] })
  expect(caller.actor).toBe('ann')
  const handed = await open.gate.handOn(caller, header, method)
  expect(await admit(handed)).toMatchObject({ actor: 'tokens/ci for ann' })
  await expect(admit(await open.gate.handOn(caller, new Headers(), method))).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
})

test('each identity has a rate of its own, and workers have none', async () => {
  for (let calls = 0; calls < 10; calls++) await admit(bearer(secret))
  await expect(admit(bearer(secret))).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
  await admit(bearer(SampleAccess.adminSecret))
  for (let calls = 0; calls < 100; calls++) await admit({}, ['dns:worker.acme'])
  access.monotonicMs += 200
  await admit(bearer(secret))
  await expect(admit(bearer(secret))).rejects.toThrow('tokens/ci calls more often than 5 times a second')
})

test('names of a certificate are those that it proves, and none that hides in another', () => {
  expect(
    namesOf({
      subject: { CN: 'ci' },
      subjectaltname: 'DNS:a.acme, URI:spiffe://acme/ci, IP Address:10.0.0.1, email:ci@acme, othername:<unsupported>',
    }),
  ).toEqual(['dns:a.acme', 'uri:spiffe://acme/ci', 'email:ci@acme', 'cn:ci'])
  expect(namesOf({ subjectaltname: 'DNS:"x, DNS:worker.acme", DNS:y' })).toEqual(['dns:y'])
  expect(namesOf({})).toEqual([])
})

test('roles of certificates that are wrong are told, with the entry', () => {
  for (const text of ['ci=editor', 'dns:ci=boss', 'dns:ci=editor@', 'dns:ci=editor@Shop', 'dns:=editor', 'dns:ci'])
    expect(() => readCertificateRoles(text), text).toThrow(`"${text}" is none`)
  expect(() => readCertificateRoles('dns:w=worker@shop')).toThrow('must give a worker no namespaces')
  expect(() => readCertificateRoles('dns:a=viewer, dns:a=admin')).toThrow('"dns:a" is there twice')
})

import { create } from '@bufbuild/protobuf'
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { AuthSchema } from '../../proto/gen/ferry/v1/credentials_pb.ts'
import { type UseCase, UseCaseSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { referenceOf } from '../../runtime/secret-keys.ts'
import { sharedStack } from '../../test/stack.ts'
import { name, SampleRegistry } from './sample-registry.ts'
import { protobufDecode, sampleDescriptorSet, sampleSpec, sampleUseCase } from './sample-use-case.ts'

let redisUrl: string
let sample: SampleRegistry

beforeAll(async () => {
  redisUrl = (await sharedStack()).redisUrl
})
beforeEach(async () => {
  sample = await SampleRegistry.open(redisUrl)
})
afterEach(() => sample.close())

const authBy = (token: { readonly value?: string; readonly ref?: string }) =>
  create(AuthSchema, { scheme: { case: 'bearer', value: { token } } })
const withAuth = (token: Parameters<typeof authBy>[0]): UseCase =>
  sampleUseCase(name, { destination: { url: 'http://127.0.0.1:8080/orders', auth: authBy(token) } })
const setOf = ({ spec }: UseCase): Buffer =>
  Buffer.from((spec!.decode!.format.value as { descriptorSet: Uint8Array }).descriptorSet)
const sealedOf = ({ spec }: UseCase): string => (spec!.destination!.auth!.scheme.value as { token: { ref: string } }).token.ref

test('a definition that is not registered is whole, and registered it is not', async () => {
  const set = sampleDescriptorSet()
  const draft = await sample.registry.draft(sampleUseCase(name, { decode: protobufDecode(set) }))
  expect(draft).toMatchObject({ name, uid: expect.stringMatching(/^[0-9a-f]{20}$/), revision: 0n })
  expect(setOf(draft).equals(set)).toBe(true)
  await expect(sample.registry.get(name)).rejects.toMatchObject({ code: 'USE_CASE_NOT_FOUND' })
  expect(await sample.changes()).toEqual([])
})

test('without a spec it is the registered one, with the bytes of its descriptor set', async () => {
  const set = sampleDescriptorSet()
  const created = await sample.create(sampleUseCase(name, { decode: protobufDecode(set) }))
  const draft = await sample.registry.draft(create(UseCaseSchema, { name }))
  expect(draft).toMatchObject({ name, uid: created.uid, revision: 1n })
  expect(setOf(draft).equals(set)).toBe(true)
  await expect(sample.registry.draft(create(UseCaseSchema, { name: `${name}-2` }))).rejects.toMatchObject({
    code: 'USE_CASE_NOT_FOUND',
  })
})

test('secrets are sealed for the worker, also those that only a reference names', async () => {
  const fresh = await sample.registry.draft(withAuth({ value: 'open-sesame' }))
  expect(JSON.stringify(fresh.spec)).not.toContain('sesame')
  expect(sample.keys.open(sealedOf(fresh), fresh.uid)).toBe('open-sesame')
  const created = await sample.create(withAuth({ value: 'open-sesame' }))
  const again = await sample.registry.draft(withAuth({ ref: referenceOf(sealedOf(created)) }))
  expect(again.uid).toBe(created.uid)
  expect(sample.keys.open(sealedOf(again), again.uid)).toBe('open-sesame')
})

test('a wrong definition is refused with every mistake, as at registration', async () => {
  const wrong = create(UseCaseSchema, {
    name,
    spec: sampleSpec({ filter: 'valu', source: { topic: 'orders', cluster: 'mars' } }),
  })
  await expect(sample.registry.draft(wrong)).rejects.toMatchObject({
    code: 'INVALID_REQUEST',
    violations: expect.arrayContaining([
      expect.objectContaining({ field: 'use_case.spec.filter' }),
      expect.objectContaining({ field: 'use_case.spec.source.cluster' }),
    ]),
  })
})

import { create } from '@bufbuild/protobuf'
import { describe, expect, test } from 'vitest'
import { AuthSchema, SigningSchema } from '../../proto/gen/ferry/v1/credentials_pb.ts'
import { type UseCase, UseCaseSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { readSecretKeys } from '../../runtime/secret-keys.ts'
import { sampleUseCase } from './sample-use-case.ts'
import { answered, UseCaseSecrets } from './use-case-secrets.ts'

const key = (id: string, byte: number): string => `${id}:${Buffer.alloc(32, byte).toString('base64')}`
const secretsOf = (...keys: string[]): UseCaseSecrets => new UseCaseSecrets(readSecretKeys(keys.join(',')))
const secrets = secretsOf(key('k1', 1))

const uid = 'u1'
type Bearer = { value?: string; ref?: string }

/** A use case with a bearer token. */
function withToken(token: Bearer): UseCase {
  const useCase = create(UseCaseSchema, { ...sampleUseCase('namespaces/team/useCases/orders'), uid })
  useCase.spec!.destination!.auth = create(AuthSchema, { scheme: { case: 'bearer', value: { token } } })
  return useCase
}

function tokenOf({ spec }: UseCase): { value: string; ref: string; fingerprint: string } {
  const scheme = spec!.destination!.auth!.scheme
  if (scheme.case !== 'bearer') throw new Error('no bearer token')
  return scheme.value.token!
}

/** As it is kept. */
function keep(useCase: UseCase, kept?: UseCase, by = secrets): UseCase {
  expect(by.prepare(useCase.spec!, kept)).toEqual([])
  by.finish(useCase.spec!, uid, kept)
  return useCase
}

describe('a secret', () => {
  test('is kept sealed, and answered as a reference and a fingerprint', () => {
    const kept = keep(withToken({ value: 'open sesame' }))
    expect(JSON.stringify(kept.spec)).not.toContain('sesame')
    expect(readSecretKeys(key('k1', 1)).open(tokenOf(kept).ref, uid)).toBe('open sesame')
    const { value, ref, fingerprint } = tokenOf(answered(kept))
    expect({ value, ref, fingerprint }).toEqual({
      value: '',
      ref: expect.stringMatching(/^s-[0-9a-f]{20}$/),
      fingerprint: expect.stringMatching(/^[0-9a-f]{16}$/),
    })
    expect(tokenOf(kept).ref, 'answering changes nothing').toContain('.k1.')
  })

  test('that is given again with the same text is the same', () => {
    const kept = keep(withToken({ value: 'a' }))
    expect(tokenOf(keep(withToken({ value: 'a' }), kept))).toEqual(tokenOf(kept))
    expect(tokenOf(keep(withToken({ value: 'b' }), kept)).ref).not.toBe(tokenOf(kept).ref)
  })

  test('of a list is kept wherever it stands in the list afterwards', () => {
    const withKeys = (...keys: Bearer[]): UseCase => {
      const useCase = withToken({ value: 'a' })
      useCase.spec!.destination!.signing = create(SigningSchema, { keys })
      return useCase
    }
    const kept = keep(withKeys({ value: 'old key' }))
    const old = kept.spec!.destination!.signing!.keys[0]!
    const both = keep(withKeys({ value: 'new key' }, { ref: answered(kept).spec!.destination!.signing!.keys[0]!.ref }), kept)
    expect(JSON.stringify(both.spec)).not.toContain(' key')
    expect(both.spec!.destination!.signing!.keys[1]).toEqual(old)
    expect(readSecretKeys(key('k1', 1)).open(both.spec!.destination!.signing!.keys[0]!.ref, uid)).toBe('new key')
  })

  test('is kept by its reference alone', () => {
    const kept = keep(withToken({ value: 'a' }))
    const { ref } = tokenOf(answered(kept))
    expect(tokenOf(keep(withToken({ ref }), kept))).toEqual(tokenOf(kept))
  })

  test('that is neither given nor of this use case is named', () => {
    const kept = keep(withToken({ value: 'a' }))
    const field = 'use_case.spec.destination.auth.bearer.token'
    expect(secrets.prepare(withToken({}).spec!, kept)).toMatchObject([{ field, reason: 'SECRET_MISSING' }])
    const other = `s-${'0'.repeat(20)}`
    expect(secrets.prepare(withToken({ ref: other }).spec!, kept)).toMatchObject([{ field, reason: 'SECRET_UNKNOWN' }])
    expect(secrets.prepare(withToken({ ref: other }).spec!, undefined)).toMatchObject([{ field, reason: 'SECRET_UNKNOWN' }])
  })

  test('is sealed with the new key by the next update when the keys change, and the old key is not needed any more', () => {
    const kept = keep(withToken({ value: 'a' }))
    const both = secretsOf(key('k2', 2), key('k1', 1))
    const { ref } = tokenOf(answered(kept))
    const renewed = keep(withToken({ ref }), kept, both)
    expect(readSecretKeys(key('k2', 2)).open(tokenOf(renewed).ref, uid)).toBe('a')
  })

  test('cannot be kept without a key, and the error says what to set', () => {
    const useCase = withToken({ value: 'a' })
    const none = secretsOf()
    expect(none.prepare(useCase.spec!, undefined)).toEqual([])
    expect(() => none.finish(useCase.spec!, uid, undefined)).toThrow(/FERRY_SECRET_KEYS is empty/)
  })

  test('is kept as it is while its key is not here', () => {
    const kept = keep(withToken({ value: 'a' }))
    const { ref } = tokenOf(answered(kept))
    const other = secretsOf(key('k2', 2))
    expect(tokenOf(keep(withToken({ ref }), kept, other))).toEqual(tokenOf(kept))
  })
})

test('a definition without secrets is answered as it is', () => {
  const useCase = sampleUseCase('namespaces/team/useCases/orders')
  expect(answered(useCase)).toBe(useCase)
})

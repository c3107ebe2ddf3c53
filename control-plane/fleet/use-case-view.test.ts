import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { describe, expect, test } from 'vitest'
import { type DeliveryPolicySchema, type UseCase, UseCaseSchema, UseCaseState } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { UseCaseViews, viewUseCase } from './use-case-view.ts'

function useCase(
  uid: string,
  delivery: MessageInitShape<typeof DeliveryPolicySchema> = {},
  state: UseCaseState = UseCaseState.ACTIVE,
): UseCase {
  return create(UseCaseSchema, {
    ...{ name: `namespaces/n/useCases/${uid}`, uid, revision: 4n, status: { state } },
    spec: { source: { topic: 'orders' }, destination: { url: 'http://localhost/' }, delivery },
  })
}

describe('viewUseCase', () => {
  test('fills in the defaults of the contract', () => {
    expect(viewUseCase(useCase('u'))).toEqual({
      ...{ uid: 'u', name: 'namespaces/n/useCases/u', state: 'ACTIVE', revision: 4, cluster: 'default', topic: 'orders' },
      ...{ group: 'ferry.n.u.u', start: { kind: 'EARLIEST' }, maxInFlight: 1024, parkedMax: 100_000, parkedBytesMax: 2 ** 28 },
      ...{ failureRetentionMs: 30 * 86_400_000, isRateLimited: false, member: undefined },
    })
  })

  test('keeps a 0 that was asked for', () => {
    expect(viewUseCase(useCase('u', { parkedBytesMax: 0n })).parkedBytesMax).toBe(0)
  })

  test('delivers for no state that it does not know', () => {
    expect(viewUseCase(useCase('u', {}, UseCaseState.PAUSED)).state).toBe('PAUSED')
    expect(viewUseCase(useCase('u', {}, UseCaseState.DELETING)).state).toBe('DELETING')
    expect(viewUseCase(useCase('u', {}, 99 as UseCaseState)).state).toBe('PAUSED')
  })
})

describe('UseCaseViews', () => {
  test('a definition that vanishes goes on for a while, and comes back when it is restored', () => {
    const views = new UseCaseViews(1000)
    expect(views.update([useCase('a'), useCase('b')], 0)).toEqual([])
    expect(views.update([useCase('a')], 10)).toEqual(['namespaces/n/useCases/b'])
    expect(views.update([useCase('a')], 900)).toEqual([])
    expect([...views.all.keys()].sort()).toEqual(['a', 'b'])
    views.update([useCase('a'), useCase('b')], 1500)
    views.update([useCase('a')], 1600)
    views.update([useCase('a')], 2599)
    expect(views.all.has('b')).toBe(true)
    views.update([useCase('a')], 2600)
    expect([...views.all.keys()]).toEqual(['a'])
  })

  test('one that was deleted is gone at once, also when a reading was on its way', () => {
    const views = new UseCaseViews(1000)
    views.update([useCase('a')], 0)
    views.finished('a')
    expect(views.all.size).toBe(0)
    expect(views.update([useCase('a')], 10)).toEqual([])
    expect(views.all.size).toBe(0)
  })
})

import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { expect, test } from 'vitest'
import { ReplaySchema, ReplayState } from '../../proto/gen/ferry/v1/replay_pb.ts'
import {
  DeliveryPolicySchema,
  OnExhausted,
  StatusAction,
  UseCaseSchema,
  UseCaseState,
} from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { replayDefinition } from './definition.ts'
import type { ReplayRecord } from './replay.ts'

const record = (more: MessageInitShape<typeof ReplaySchema> = {}, id = 'rp-1-a'): ReplayRecord => ({
  ...{ uid: 'u1', cluster: 'west', topic: 'orders', revision: 1, request: '', asked: '' },
  replay: create(ReplaySchema, {
    ...{ name: `namespaces/shop/useCases/orders/replays/${id}`, useCase: 'namespaces/shop/useCases/orders' },
    ...{ state: ReplayState.RUNNING, ranges: [{ partition: 2, fromOffset: 5n, toOffset: 9n }] },
    ...more,
  }),
})
const useCase = (state: UseCaseState = UseCaseState.ACTIVE) =>
  create(UseCaseSchema, {
    ...{ name: 'namespaces/shop/useCases/orders', uid: 'u1', revision: 7n, status: { state } },
    spec: {
      source: { cluster: 'west', topic: 'orders' },
      destination: {
        ...{ url: 'https://shop.example/orders', headers: { 'x-zone': 'eu' }, endpointGroup: 'shop' },
        auth: { scheme: { case: 'bearer', value: { token: { ref: 'sealed' } } } },
        ...{ signing: { keys: [{ ref: 'sealed' }] }, tls: { serverName: 'shop.example' } },
      },
      delivery: { rateLimit: { recordsPerSecond: 50, bytesPerSecond: 1000 }, latestVersionWins: true },
      retry: {
        ...{ onExhausted: OnExhausted.BLOCK, deadLetterTopic: 'dead' },
        statusRules: [
          { status: ['410'], action: StatusAction.SKIP },
          { status: ['503'], action: StatusAction.PAUSE },
        ],
      },
    },
  })

test('a replay is the use case as it is now, under a uid of its own, from its offsets to their ends', () => {
  const source = useCase()
  const { uid, name, revision, spec, ends, status } = replayDefinition(record(), source)
  expect([uid, name, revision, status!.state]).toEqual(['u1~rp-1-a', source.name, 7n, UseCaseState.ACTIVE])
  expect(spec!.source!.start).toMatchObject({ case: 'offsets', value: { offsets: { 2: 5n } } })
  expect(ends).toEqual(new Map([[2, 9]]))
  expect(spec!.destination).toMatchObject({ url: 'https://shop.example/orders', headers: { 'x-zone': 'eu' }, endpointGroup: '' })
  expect(spec!.destination!.auth).toBeDefined()
  expect(spec!.delivery).toMatchObject({ rateLimit: { recordsPerSecond: 50, bytesPerSecond: 1000 }, latestVersionWins: false })
  expect(spec!.retry).toMatchObject({ onExhausted: OnExhausted.UNSPECIFIED, deadLetterTopic: '' })
  expect(spec!.retry!.statusRules).toHaveLength(2)
  // What is registered is another's.
  expect(source).toEqual(useCase())
})

test('a shadow has none of the credentials, unless asked for, and no answer of it pauses anything', () => {
  const shadow = { url: 'https://shadow.example/' }
  const { spec } = replayDefinition(record(shadow, 'sh-1-a'), useCase())
  expect(spec!.destination).toMatchObject({ url: 'https://shadow.example/', headers: { 'x-zone': 'eu' } })
  for (const part of ['auth', 'signing', 'tls'] as const) expect(spec!.destination![part]).toBeUndefined()
  expect(spec!.retry!.statusRules.map(({ action }) => action)).toEqual([StatusAction.SKIP])
  const trusted = replayDefinition(record({ ...shadow, withCredentials: true }, 'sh-1-a'), useCase()).spec!.destination!
  expect([trusted.auth, trusted.signing, trusted.tls].every(Boolean)).toBe(true)
})

test('the slower of both rates holds, and without any it is 100', () => {
  const rateOf = (more: MessageInitShape<typeof ReplaySchema>, limit?: number) => {
    const source = useCase()
    delete source.spec!.delivery
    if (limit) source.spec!.delivery = create(DeliveryPolicySchema, { rateLimit: { recordsPerSecond: limit } })
    return replayDefinition(record(more), source).spec!.delivery!.rateLimit!.recordsPerSecond
  }
  expect([rateOf({}), rateOf({ recordsPerSecond: 7 }), rateOf({ recordsPerSecond: 7 }, 5), rateOf({}, 500)]).toEqual([
    100, 7, 5, 100,
  ])
})

test('to the endpoint nothing goes while the use case is paused; what is over, or whose use case is gone, is to be removed', () => {
  const stateOf = (...of: Parameters<typeof replayDefinition>) => replayDefinition(...of).status!.state
  expect(stateOf(record(), useCase(UseCaseState.PAUSED))).toBe(UseCaseState.PAUSED)
  expect(stateOf(record({ url: 'https://shadow.example/' }), useCase(UseCaseState.PAUSED))).toBe(UseCaseState.ACTIVE)
  const over: Parameters<typeof replayDefinition>[] = [
    [record(), useCase(UseCaseState.DELETING)],
    [record(), undefined],
    [record({ state: ReplayState.DONE }), useCase()],
    [record({ state: ReplayState.CANCELLED }), useCase()],
  ]
  for (const of of over) {
    expect(stateOf(...of)).toBe(UseCaseState.DELETING)
    expect(replayDefinition(...of).spec!.source).toMatchObject({ cluster: 'west', topic: 'orders' })
  }
})

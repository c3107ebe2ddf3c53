import { clone, create } from '@bufbuild/protobuf'
import { durationFromMs, timestampFromMs } from '@bufbuild/protobuf/wkt'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type UseCase, UseCaseSchema, UseCaseState } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { sharedStack } from '../../test/stack.ts'
import { findViolations } from '../serve/validate-request.ts'
import { hashDescriptorSet } from '../store/descriptor-sets.ts'
import { openSampleControl, prepare, type SampleControl } from '../store/sample-control.ts'
import { Lifecycle } from './lifecycle.ts'
import { Registry, type Update } from './registry.ts'
import { protobufDecode, sampleDescriptorSet, sampleSpec, sampleUseCase } from './sample-use-case.ts'

const name = 'namespaces/team/useCases/orders'
const caller = { actor: 'somebody' }

let redisUrl: string
let control: SampleControl
let registry: Registry
let lifecycle: Lifecycle
let nowMs: number
let parked: number
let kafka: 'up' | 'away'

beforeAll(async () => {
  redisUrl = (await sharedStack()).redisUrl
})
beforeEach(async () => {
  await open()
  return async () => control.close()
})
afterAll(() => control?.redis.disconnect())

async function open(limits: Parameters<typeof openSampleControl>[1] = {}): Promise<void> {
  control = openSampleControl(redisUrl, limits)
  await prepare(control)
  nowMs = 1_700_000_000_000
  parked = 0
  kafka = 'up'
  registry = newRegistry()
  lifecycle = new Lifecycle({ records: control.records, parked: { count: async () => parked }, nowMs: () => nowMs })
}

const newRegistry = (): Registry =>
  new Registry({
    records: control.replica(),
    descriptorSets: control.descriptorSets,
    nowMs: () => nowMs,
    validation: {
      clusters: ['default'],
      topics: {
        partitions: async (_cluster, topic) => {
          if (kafka === 'away') throw new Error('connection refused')
          return topic === 'orders' ? 3 : undefined
        },
      },
      contractViolations: (useCase) => findViolations(UseCaseSchema, useCase),
    },
  })

const update = (useCase: UseCase, more: Partial<Update> = {}, by = registry): Promise<UseCase> =>
  by.update({ useCase, maskPaths: [], allowMissing: false, validateOnly: false, ...more }, caller)

/** What waits for the audit, oldest first. */
async function changes(): Promise<
  { id: number; action: string; actor: string; reason: string; before: string; after: string }[]
> {
  const entries = await control.redis.xrange(control.keys.outbox, '-', '+')
  return entries.map(([id, [, row]]) => ({ id: Number.parseInt(id, 10), ...JSON.parse(row!) }))
}
const actions = async (): Promise<string[]> => (await changes()).map((each) => each.action)

describe('create', () => {
  test('stores what was asked, with identity, and answers it from then on', async () => {
    const created = await registry.create(sampleUseCase(name, { retry: { maxRetries: 0 } }), false, caller)
    expect(created.uid).toMatch(/^[0-9a-f]{20}$/)
    expect(created).toMatchObject({
      name,
      revision: 1n,
      status: { state: UseCaseState.ACTIVE },
      createTime: timestampFromMs(nowMs),
    })
    expect(created.spec).toEqual(sampleSpec({ retry: { maxRetries: 0 } }))
    expect(await registry.get(name)).toEqual(created)
    expect(await newRegistry().getByUid(created.uid)).toEqual(created)
    expect(await changes()).toMatchObject([
      { action: 'CREATE', actor: 'somebody', before: '', after: expect.stringContaining(created.uid) },
    ])
  })

  test('of 20 at once with one definition one wins, and all answer the same use case', async () => {
    const answers = await Promise.all(Array.from({ length: 20 }, () => newRegistry().create(sampleUseCase(name), false, caller)))
    expect(new Set(answers.map((each) => each.uid)).size).toBe(1)
    expect(await actions()).toEqual(['CREATE'])
  })

  test('of 20 at once with different definitions one wins, and the others hear in what it differs', async () => {
    const answers = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) =>
        newRegistry().create(sampleUseCase(name, { delivery: { maxInFlight: index + 1 } }), false, caller),
      ),
    )
    const winners = answers.filter((each) => each.status === 'fulfilled')
    expect(winners.length).toBe(1)
    expect(await registry.get(name)).toEqual(winners[0]!.value)
    for (const each of answers.filter((answer) => answer.status === 'rejected')) {
      expect(each.reason).toMatchObject({ code: 'USE_CASE_EXISTS', metadata: { fields: 'spec.delivery.max_in_flight' } })
    }
    expect(await actions()).toEqual(['CREATE'])
  })

  test('the same definition in other words answers the first one, also while Kafka is away', async () => {
    const first = await registry.create(sampleUseCase(name), false, caller)
    kafka = 'away'
    const spelled = sampleUseCase(name, { source: { topic: 'orders', cluster: 'default' }, delivery: { maxInFlight: 64 } })
    expect(await registry.create(spelled, false, caller)).toEqual(first)
    expect(await actions()).toEqual(['CREATE'])
  })

  test('nothing is created of a wrong definition, nor while Kafka cannot be asked', async () => {
    const wrong = registry.create(sampleUseCase(name, { source: { topic: 'none' }, delivery: { maxInFlight: 0 } }), false, caller)
    await expect(wrong).rejects.toMatchObject({ code: 'INVALID_REQUEST', violations: [{}, { reason: 'TOPIC_NOT_FOUND' }] })
    kafka = 'away'
    await expect(registry.create(sampleUseCase(name), false, caller)).rejects.toMatchObject({ code: 'SOURCE_UNAVAILABLE' })
    await expect(registry.get(name)).rejects.toMatchObject({ code: 'USE_CASE_NOT_FOUND' })
    expect(await changes()).toEqual([])
  })

  test('a check answers what would be created and creates nothing', async () => {
    const preview = await registry.create(sampleUseCase(name), true, caller)
    expect(preview).toMatchObject({ name, uid: '', revision: 0n, status: { state: UseCaseState.ACTIVE } })
    await expect(registry.get(name)).rejects.toMatchObject({ code: 'USE_CASE_NOT_FOUND' })
  })

  test('a descriptor set is kept apart, answered by its hash, and given whole to workers', async () => {
    const bytes = sampleDescriptorSet()
    const created = await registry.create(sampleUseCase(name, { decode: protobufDecode(bytes) }), false, caller)
    expect(created.spec!.decode!.format.value).toMatchObject({
      descriptorSet: new Uint8Array(),
      descriptorSetSha256: hashDescriptorSet(bytes),
    })
    const whole = await registry.withDescriptorSet(created)
    expect(Buffer.from((whole.spec!.decode!.format.value as { descriptorSet: Uint8Array }).descriptorSet)).toEqual(
      Buffer.from(bytes),
    )
    const again = await registry.create(sampleUseCase(name, { decode: protobufDecode(bytes) }), false, caller)
    expect(again).toEqual(created)
  })

  test('as many use cases as may be, and no more', async () => {
    await control.close()
    await open({ useCasesMax: 1 })
    await registry.create(sampleUseCase(name), false, caller)
    const second = registry.create(sampleUseCase(`${name}-2`), false, caller)
    await expect(second).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
  })

  test('is refused while nobody knows what an empty Redis has lost', async () => {
    await control.close()
    control = openSampleControl(redisUrl, { preparedTimeoutMs: 150 })
    await expect(newRegistry().create(sampleUseCase(name), false, caller)).rejects.toMatchObject({ code: 'STATE_UNAVAILABLE' })
  })

  test('waits for the leader that finds it out', async () => {
    await control.redis.del(control.keys.changes)
    const creating = registry.create(sampleUseCase(name), false, caller)
    await prepare(control)
    expect((await creating).revision).toBe(1n)
  })
})

describe('list', () => {
  test('answers the use cases of a namespace, or of all, by name and in pages', async () => {
    const names = ['namespaces/b/useCases/x', 'namespaces/a/useCases/y', 'namespaces/a/useCases/x', 'namespaces/ab/useCases/z']
    for (const each of names) await registry.create(sampleUseCase(each), false, caller)
    const all = await registry.list('', 0, '')
    expect(all.items.map((each) => each.name)).toEqual([...names].sort())
    const first = await registry.list('namespaces/a', 1, '')
    const second = await registry.list('namespaces/a', 1, first.nextPageToken)
    expect([...first.items, ...second.items].map((each) => each.name)).toEqual([names[2], names[1]])
    expect(second.nextPageToken).toBe('')
  })

  test('sees at once what another replica has changed', async () => {
    await registry.all()
    const created = await newRegistry().create(sampleUseCase(name), false, caller)
    expect((await registry.all()).get(name)).toEqual(created)
    await update(clone(UseCaseSchema, { ...created, spec: sampleSpec({ description: 'new' }) }), {}, newRegistry())
    expect((await registry.all()).get(name)!.spec!.description).toBe('new')
  })
})

describe('update', () => {
  test('changes what the mask names, with the next revision and etag', async () => {
    const first = await registry.create(sampleUseCase(name, { description: 'kept' }), false, caller)
    nowMs += 1000
    const changed = await update(
      create(UseCaseSchema, { name, spec: { destination: { url: 'http://other/', requestTimeout: durationFromMs(1000) } } }),
      { maskPaths: ['spec.destination.url'] },
    )
    expect(changed).toMatchObject({
      uid: first.uid,
      revision: 2n,
      spec: { description: 'kept', destination: { url: 'http://other/' } },
    })
    expect(changed.spec!.destination!.requestTimeout).toBeUndefined()
    expect(changed.etag).not.toBe(first.etag)
    expect(changed.updateTime).toEqual(timestampFromMs(nowMs))
    expect(changed.createTime).toEqual(first.createTime)
    expect(await registry.get(name)).toEqual(changed)
  })

  test('works while Kafka is away: an endpoint can be mended then', async () => {
    await registry.create(sampleUseCase(name), false, caller)
    kafka = 'away'
    expect((await update(sampleUseCase(name, { description: 'mended' }))).revision).toBe(2n)
  })

  test('to what it is already is no change', async () => {
    const bytes = sampleDescriptorSet()
    const first = await registry.create(sampleUseCase(name, { decode: protobufDecode(bytes) }), false, caller)
    expect(await update(sampleUseCase(name, { decode: protobufDecode(bytes) }))).toEqual(first)
    expect(await actions()).toEqual(['CREATE'])
  })

  test('of 20 at once with the same etag exactly one wins', async () => {
    const { etag } = await registry.create(sampleUseCase(name), false, caller)
    const answers = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) => {
        const asked = sampleUseCase(name, { description: `number ${index}` })
        asked.etag = etag
        return update(asked, {}, newRegistry())
      }),
    )
    const winners = answers.filter((each) => each.status === 'fulfilled')
    expect(winners.length).toBe(1)
    expect(await registry.get(name)).toEqual(winners[0]!.value)
    for (const each of answers) if (each.status === 'rejected') expect(each.reason).toMatchObject({ code: 'ETAG_MISMATCH' })
    expect(await actions()).toEqual(['CREATE', 'UPDATE'])
  })

  test('of 10 at once without an etag all win, one after the other, and none undoes another', async () => {
    await registry.create(sampleUseCase(name), false, caller)
    const paths = ['spec.delivery.max_in_flight', 'spec.retry.max_retries', 'spec.description', 'spec.log.request_body_bytes_max']
    const asked = sampleUseCase(name, {
      description: 'd',
      delivery: { maxInFlight: 7 },
      retry: { maxRetries: 7 },
      log: { requestBodyBytesMax: 7 },
    })
    await Promise.all(paths.map((path) => update(asked, { maskPaths: [path] }, newRegistry())))
    expect((await registry.get(name)).revision).toBe(5n)
    expect((await registry.get(name)).spec).toEqual(asked.spec)
  })

  test('cannot change source or ordering', async () => {
    await registry.create(sampleUseCase(name), false, caller)
    await expect(update(sampleUseCase(name, { source: { topic: 'other' } }))).rejects.toMatchObject({
      code: 'IMMUTABLE_FIELD',
      message: expect.stringContaining('it is "orders"; given "other"'),
    })
  })

  test('with allow_missing creates, also when 10 do it at once with different definitions', async () => {
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        update(sampleUseCase(name, { description: `${index}` }), { allowMissing: true }, newRegistry()),
      ),
    )
    expect(new Set(answers.map((each) => each.uid)).size).toBe(1)
    expect(await actions()).toEqual(['CREATE', ...Array(9).fill('UPDATE')])
    expect((await registry.get(name)).revision).toBe(10n)
  })

  test('without allow_missing, or with an etag of what is gone, is refused', async () => {
    await expect(update(sampleUseCase(name))).rejects.toMatchObject({ code: 'USE_CASE_NOT_FOUND' })
    const asked = sampleUseCase(name)
    asked.etag = 'old-1'
    await expect(update(asked, { allowMissing: true })).rejects.toMatchObject({ code: 'ETAG_MISMATCH' })
  })

  test('a check answers what would be and changes nothing', async () => {
    const first = await registry.create(sampleUseCase(name), false, caller)
    const preview = await update(sampleUseCase(name, { description: 'new' }), { validateOnly: true })
    expect(preview.spec!.description).toBe('new')
    expect(await registry.get(name)).toEqual(first)
  })

  test('a descriptor set can be given by the hash of one that Ferry has, until it is swept', async () => {
    const bytes = sampleDescriptorSet()
    const sha256 = hashDescriptorSet(bytes)
    await registry.create(sampleUseCase(name, { decode: protobufDecode(bytes) }), false, caller)
    const decode = { format: { case: 'protobuf', value: { descriptorSetSha256: sha256, message: 'ferry.v1.Source' } } } as const
    expect((await update(sampleUseCase(name, { decode }))).revision).toBe(2n)
    await update(sampleUseCase(name))
    expect(await control.descriptorSets.sweep()).toBe(0)
    await control.redis.del(control.keys.outbox)
    expect(await control.descriptorSets.sweep()).toBe(1)
    await expect(update(sampleUseCase(name, { decode }))).rejects.toMatchObject({
      violations: [{ reason: 'DESCRIPTOR_SET_UNKNOWN' }],
    })
  })
})

describe('pause and resume', () => {
  test('a pause has a reason and ends when somebody resumes', async () => {
    await registry.create(sampleUseCase(name), false, caller)
    const paused = await lifecycle.pause(name, 'endpoint moves', undefined, caller)
    expect(paused).toMatchObject({ revision: 2n, status: { state: UseCaseState.PAUSED, pauseReason: 'endpoint moves' } })
    expect(await lifecycle.pause(name, 'endpoint moves', undefined, caller)).toEqual(paused)
    const resumed = await lifecycle.resume(name, caller)
    expect(resumed).toMatchObject({ revision: 3n, status: { state: UseCaseState.ACTIVE, pauseReason: '' } })
    expect(await lifecycle.resume(name, caller)).toEqual(resumed)
    expect(await changes()).toMatchObject([
      {},
      { action: 'PAUSE', reason: 'endpoint moves' },
      { action: 'RESUME', actor: 'somebody' },
    ])
  })

  test('a pause until a time ends by itself then, once, whoever looks', async () => {
    await registry.create(sampleUseCase(name), false, caller)
    await lifecycle.pause(name, 'lunch', timestampFromMs(nowMs + 1000), caller)
    expect(await lifecycle.resumeExpired()).toEqual([])
    nowMs += 1000
    const resumed = (await Promise.all([1, 2, 3].map(() => lifecycle.resumeExpired()))).flat()
    expect(resumed.map((each) => each.status!.state)).toEqual([UseCaseState.ACTIVE])
    expect(await lifecycle.resumeExpired()).toEqual([])
    expect((await changes()).at(-1)).toMatchObject({ action: 'RESUME', actor: 'ferry' })
  })

  test('a pause until the past is refused', async () => {
    await registry.create(sampleUseCase(name), false, caller)
    const pausing = lifecycle.pause(name, 'x', timestampFromMs(nowMs), caller)
    await expect(pausing).rejects.toMatchObject({ code: 'INVALID_REQUEST', violations: [{ field: 'until' }] })
  })
})

describe('delete', () => {
  test('is refused while deliveries wait, with their count, unless forced', async () => {
    const { uid } = await registry.create(sampleUseCase(name), false, caller)
    parked = 7
    const deleting = lifecycle.delete(name, false, '', caller)
    await expect(deleting).rejects.toMatchObject({ code: 'DELIVERIES_WAITING', metadata: { count: '7' } })
    expect(await lifecycle.delete(name, true, '', caller)).toMatchObject({ uid, status: { state: UseCaseState.DELETING } })
  })

  test('takes two steps: deleting, and gone when the fleet has drained it', async () => {
    const first = await registry.create(sampleUseCase(name), false, caller)
    expect(await lifecycle.finishDelete(first.uid)).toBe(false)
    const deleting = await lifecycle.delete(name, false, first.etag, caller)
    expect(await lifecycle.delete(name, false, '', caller)).toEqual(deleting)
    await expect(update(sampleUseCase(name, { description: 'x' }))).rejects.toMatchObject({ code: 'USE_CASE_DELETING' })
    await expect(registry.create(sampleUseCase(name), false, caller)).rejects.toMatchObject({ code: 'USE_CASE_DELETING' })
    await expect(lifecycle.resume(name, caller)).rejects.toMatchObject({ code: 'USE_CASE_DELETING' })
    expect(await lifecycle.finishDelete(first.uid)).toBe(true)
    expect(await lifecycle.finishDelete(first.uid)).toBe(false)
    expect(await registry.getByUid(first.uid)).toBeUndefined()
    const second = await registry.create(sampleUseCase(name), false, caller)
    expect(second.uid).not.toBe(first.uid)
    expect(second.etag).not.toBe(first.etag)
    expect(await actions()).toEqual(['CREATE', 'DELETE', 'REMOVE', 'CREATE'])
  })

  test('with an etag of another revision is refused', async () => {
    const { etag } = await registry.create(sampleUseCase(name), false, caller)
    await update(sampleUseCase(name, { description: 'x' }))
    await expect(lifecycle.delete(name, false, etag, caller)).rejects.toMatchObject({ code: 'ETAG_MISMATCH' })
  })
})

test('change ids grow, and are no lower than the clock of Redis', async () => {
  const before = Date.now() - 1
  for (let index = 0; index < 5; index++) await registry.create(sampleUseCase(`${name}-${index}`), false, caller)
  const ids = (await changes()).map((each) => each.id)
  expect(ids).toEqual([...new Set(ids)].sort((left, right) => left - right))
  expect(ids[0]).toBeGreaterThanOrEqual(before)
})

test('changes are refused when as many wait for the audit as may', async () => {
  await control.close()
  await open({ outboxEntriesMax: 1 })
  await registry.create(sampleUseCase(name), false, caller)
  await expect(update(sampleUseCase(name, { description: 'x' }))).rejects.toMatchObject({
    code: 'LIMIT_EXCEEDED',
    message: expect.stringContaining('ClickHouse'),
  })
})

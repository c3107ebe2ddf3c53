import { clone } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Concurrency, UseCaseSchema, UseCaseState } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { sharedStack } from '../../test/stack.ts'
import { hashDescriptorSet } from '../store/descriptor-sets.ts'
import { prepare } from '../store/sample-control.ts'
import { caller, name, SampleRegistry } from './sample-registry.ts'
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

describe('create', () => {
  test('stores what was asked, with identity, and answers it from then on', async () => {
    const created = await sample.create(sampleUseCase(name, { retry: { maxRetries: 0 } }))
    expect(created.uid).toMatch(/^[0-9a-f]{20}$/)
    expect(created).toMatchObject({
      name,
      revision: 1n,
      status: { state: UseCaseState.ACTIVE },
      createTime: timestampFromMs(sample.nowMs),
    })
    expect(created.spec).toEqual(sampleSpec({ retry: { maxRetries: 0 } }))
    expect(await sample.registry.get(name)).toEqual(created)
    expect(await sample.replica().getByUid(created.uid)).toEqual(created)
    expect(await sample.changes()).toMatchObject([
      { action: 'CREATE', actor: 'somebody', before: '', after: expect.stringContaining(created.uid) },
    ])
  })

  test('of 20 at once with one definition one wins, and all answer the same use case', async () => {
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => sample.replica().create(sampleUseCase(name), false, caller)),
    )
    expect(new Set(answers.map((each) => each.uid)).size).toBe(1)
    expect(await sample.actions()).toEqual(['CREATE'])
  })

  test('of 20 at once with different definitions one wins, and the others hear in what it differs', async () => {
    const answers = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) =>
        sample.replica().create(sampleUseCase(name, { delivery: { maxInFlight: index + 1 } }), false, caller),
      ),
    )
    const winners = answers.filter((each) => each.status === 'fulfilled')
    expect(winners.length).toBe(1)
    expect(await sample.registry.get(name)).toEqual(winners[0]!.value)
    for (const each of answers.filter((answer) => answer.status === 'rejected')) {
      expect(each.reason).toMatchObject({ code: 'USE_CASE_EXISTS', metadata: { fields: 'spec.delivery.max_in_flight' } })
    }
    expect(await sample.actions()).toEqual(['CREATE'])
  })

  test('the same definition in other words answers the first one, also while Kafka is away', async () => {
    const first = await sample.create(sampleUseCase(name))
    sample.kafka = 'away'
    const spelled = sampleUseCase(name, {
      source: { topic: 'orders', cluster: 'default' },
      delivery: { concurrency: Concurrency.ADAPTIVE },
    })
    expect(await sample.create(spelled)).toEqual(first)
    expect(await sample.actions()).toEqual(['CREATE'])
  })

  test('nothing is created of a wrong definition, nor while Kafka cannot be asked', async () => {
    const wrong = sample.create(sampleUseCase(name, { source: { topic: 'none' }, delivery: { maxInFlight: 0 } }))
    await expect(wrong).rejects.toMatchObject({ code: 'INVALID_REQUEST', violations: [{}, { reason: 'TOPIC_NOT_FOUND' }] })
    sample.kafka = 'away'
    await expect(sample.create(sampleUseCase(name))).rejects.toMatchObject({ code: 'SOURCE_UNAVAILABLE' })
    await expect(sample.registry.get(name)).rejects.toMatchObject({ code: 'USE_CASE_NOT_FOUND' })
    expect(await sample.changes()).toEqual([])
  })

  test('a check answers what would be created and creates nothing', async () => {
    const preview = await sample.registry.create(sampleUseCase(name), true, caller)
    expect(preview).toMatchObject({ name, uid: '', revision: 0n, status: { state: UseCaseState.ACTIVE } })
    await expect(sample.registry.get(name)).rejects.toMatchObject({ code: 'USE_CASE_NOT_FOUND' })
  })

  test('a descriptor set is kept apart, answered by its hash, and given whole to workers', async () => {
    const bytes = sampleDescriptorSet()
    const created = await sample.create(sampleUseCase(name, { decode: protobufDecode(bytes) }))
    expect(created.spec!.decode!.format.value).toMatchObject({
      descriptorSet: new Uint8Array(),
      descriptorSetSha256: hashDescriptorSet(bytes),
    })
    const whole = await sample.registry.withDescriptorSet(created)
    expect(Buffer.from((whole.spec!.decode!.format.value as { descriptorSet: Uint8Array }).descriptorSet)).toEqual(
      Buffer.from(bytes),
    )
    const again = await sample.create(sampleUseCase(name, { decode: protobufDecode(bytes) }))
    expect(again).toEqual(created)
  })

  test('as many use cases as may be, and no more', async () => {
    await sample.close()
    sample = await SampleRegistry.open(redisUrl, { useCasesMax: 1 })
    await sample.create(sampleUseCase(name))
    const second = sample.create(sampleUseCase(`${name}-2`))
    await expect(second).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
  })

  test('is refused while nobody knows what an empty Redis has lost', async () => {
    await sample.close()
    sample = new SampleRegistry(redisUrl, { preparedTimeoutMs: 150 })
    await expect(sample.replica().create(sampleUseCase(name), false, caller)).rejects.toMatchObject({ code: 'STATE_UNAVAILABLE' })
  })

  test('waits for the leader that finds it out', async () => {
    await sample.control.redis.del(sample.control.keys.changes)
    const creating = sample.create(sampleUseCase(name))
    await prepare(sample.control)
    expect((await creating).revision).toBe(1n)
  })
})

describe('list', () => {
  test('answers the use cases of a namespace, or of all, by name and in pages', async () => {
    const names = ['namespaces/b/useCases/x', 'namespaces/a/useCases/y', 'namespaces/a/useCases/x', 'namespaces/ab/useCases/z']
    for (const each of names) await sample.create(sampleUseCase(each))
    const all = await sample.registry.list('', 0, '')
    expect(all.items.map((each) => each.name)).toEqual([...names].sort())
    const first = await sample.registry.list('namespaces/a', 1, '')
    const second = await sample.registry.list('namespaces/a', 1, first.nextPageToken)
    expect([...first.items, ...second.items].map((each) => each.name)).toEqual([names[2], names[1]])
    expect(second.nextPageToken).toBe('')
  })

  test('sees at once what another replica has changed', async () => {
    await sample.registry.all()
    const created = await sample.replica().create(sampleUseCase(name), false, caller)
    expect((await sample.registry.all()).get(name)).toEqual(created)
    await sample.update(clone(UseCaseSchema, { ...created, spec: sampleSpec({ description: 'new' }) }), {}, sample.replica())
    expect((await sample.registry.all()).get(name)!.spec!.description).toBe('new')
  })
})

test('change ids grow, and are no lower than the clock of Redis', async () => {
  const before = Date.now() - 1
  for (let index = 0; index < 5; index++) await sample.create(sampleUseCase(`${name}-${index}`))
  const ids = (await sample.changes()).map((each) => each.id)
  expect(ids).toEqual([...new Set(ids)].sort((left, right) => left - right))
  expect(ids[0]).toBeGreaterThanOrEqual(before)
})

test('changes are refused when as many wait for the audit as may', async () => {
  await sample.close()
  sample = await SampleRegistry.open(redisUrl, { outboxEntriesMax: 1 })
  await sample.create(sampleUseCase(name))
  await expect(sample.update(sampleUseCase(name, { description: 'x' }))).rejects.toMatchObject({
    code: 'LIMIT_EXCEEDED',
    message: expect.stringContaining('ClickHouse'),
  })
})

test('a namespace that is full takes no more use cases, and keeps no other from theirs', async () => {
  await sample.close()
  sample = await SampleRegistry.open(redisUrl, { useCasesPerNamespaceMax: 2 })
  const nameIn = (namespace: string, id: number): string => `namespaces/${namespace}/useCases/u-${id}`
  for (const id of [1, 2]) await sample.create(sampleUseCase(nameIn('full', id)))
  await expect(sample.create(sampleUseCase(nameIn('full', 3)))).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
  for (const id of [1, 2]) await sample.create(sampleUseCase(nameIn('full-2', id)))
  // What is there can still be changed.
  expect((await sample.update(sampleUseCase(nameIn('full', 1), { description: 'x' }))).revision).toBe(2n)
})

test('another descriptor set is refused when as many are kept as may; one that is there can still be named', async () => {
  await sample.close()
  sample = await SampleRegistry.open(redisUrl, { descriptorSetsMax: 1 })
  const decode = protobufDecode(sampleDescriptorSet())
  for (const id of [1, 2]) await sample.create(sampleUseCase(`${name}-${id}`, { decode }))
  // The same schema in other bytes.
  const other = protobufDecode(Buffer.concat([sampleDescriptorSet(), Buffer.from([0x78, 0x01])]))
  await expect(sample.create(sampleUseCase(`${name}-3`, { decode: other }))).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
})

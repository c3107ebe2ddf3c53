import { create } from '@bufbuild/protobuf'
import { durationFromMs, timestampFromMs } from '@bufbuild/protobuf/wkt'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { UseCaseSchema, UseCaseState } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { sharedStack } from '../../test/stack.ts'
import { hashDescriptorSet } from '../store/descriptor-sets.ts'
import { caller, name, SampleRegistry } from './sample-registry.ts'
import { protobufDecode, sampleDescriptorSet, sampleUseCase } from './sample-use-case.ts'

let redisUrl: string
let sample: SampleRegistry

beforeAll(async () => {
  redisUrl = (await sharedStack()).redisUrl
})
beforeEach(async () => {
  sample = await SampleRegistry.open(redisUrl)
})
afterEach(() => sample.close())

describe('update', () => {
  test('changes what the mask names, with the next revision and etag', async () => {
    const first = await sample.create(sampleUseCase(name, { description: 'kept' }))
    sample.nowMs += 1000
    const changed = await sample.update(
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
    expect(changed.updateTime).toEqual(timestampFromMs(sample.nowMs))
    expect(changed.createTime).toEqual(first.createTime)
    expect(await sample.registry.get(name)).toEqual(changed)
  })

  test('works while Kafka is away: an endpoint can be mended then', async () => {
    await sample.create(sampleUseCase(name))
    sample.kafka = 'away'
    expect((await sample.update(sampleUseCase(name, { description: 'mended' }))).revision).toBe(2n)
  })

  test('to what it is already is no change', async () => {
    const bytes = sampleDescriptorSet()
    const first = await sample.create(sampleUseCase(name, { decode: protobufDecode(bytes) }))
    expect(await sample.update(sampleUseCase(name, { decode: protobufDecode(bytes) }))).toEqual(first)
    expect(await sample.actions()).toEqual(['CREATE'])
  })

  test('of 20 at once with the same etag exactly one wins', async () => {
    const { etag } = await sample.create(sampleUseCase(name))
    const answers = await Promise.allSettled(
      Array.from({ length: 20 }, (_, index) => {
        const asked = sampleUseCase(name, { description: `number ${index}` })
        asked.etag = etag
        return sample.update(asked, {}, sample.replica())
      }),
    )
    const winners = answers.filter((each) => each.status === 'fulfilled')
    expect(winners.length).toBe(1)
    expect(await sample.registry.get(name)).toEqual(winners[0]!.value)
    for (const each of answers) if (each.status === 'rejected') expect(each.reason).toMatchObject({ code: 'ETAG_MISMATCH' })
    expect(await sample.actions()).toEqual(['CREATE', 'UPDATE'])
  })

  test('of 10 at once without an etag all win, one after the other, and none undoes another', async () => {
    await sample.create(sampleUseCase(name))
    const paths = ['spec.delivery.max_in_flight', 'spec.retry.max_retries', 'spec.description', 'spec.log.request_body_bytes_max']
    const asked = sampleUseCase(name, {
      description: 'd',
      delivery: { maxInFlight: 7 },
      retry: { maxRetries: 7 },
      log: { requestBodyBytesMax: 7 },
    })
    await Promise.all(paths.map((path) => sample.update(asked, { maskPaths: [path] }, sample.replica())))
    expect((await sample.registry.get(name)).revision).toBe(5n)
    expect((await sample.registry.get(name)).spec).toEqual(asked.spec)
  })

  test('cannot change source or ordering', async () => {
    await sample.create(sampleUseCase(name))
    await expect(sample.update(sampleUseCase(name, { source: { topic: 'other' } }))).rejects.toMatchObject({
      code: 'IMMUTABLE_FIELD',
      message: expect.stringContaining('it is "orders"; given "other"'),
    })
  })

  test('with allow_missing creates, also when 10 do it at once with different definitions', async () => {
    const answers = await Promise.all(
      Array.from({ length: 10 }, (_, index) =>
        sample.update(sampleUseCase(name, { description: `${index}` }), { allowMissing: true }, sample.replica()),
      ),
    )
    expect(new Set(answers.map((each) => each.uid)).size).toBe(1)
    expect(await sample.actions()).toEqual(['CREATE', ...Array(9).fill('UPDATE')])
    expect((await sample.registry.get(name)).revision).toBe(10n)
  })

  test('without allow_missing, or with an etag of what is gone, is refused', async () => {
    await expect(sample.update(sampleUseCase(name))).rejects.toMatchObject({ code: 'USE_CASE_NOT_FOUND' })
    const asked = sampleUseCase(name)
    asked.etag = 'old-1'
    await expect(sample.update(asked, { allowMissing: true })).rejects.toMatchObject({ code: 'ETAG_MISMATCH' })
  })

  test('an older replica does not lose what a newer one wrote: it leaves the change to it', async () => {
    await sample.create(sampleUseCase(name))
    const text = (await sample.control.redis.hget(sample.control.keys.useCases, name))!
    await sample.control.redis.hset(sample.control.keys.useCases, name, text.replace('"spec":{', '"spec":{"fromTheFuture":1,'))
    await expect(sample.lifecycle.pause(name, 'x', undefined, caller)).rejects.toMatchObject({ code: 'STATE_UNAVAILABLE' })
    expect((await sample.registry.get(name)).status!.state).toBe(UseCaseState.ACTIVE)
  })

  test('a check answers what would be and changes nothing', async () => {
    const first = await sample.create(sampleUseCase(name))
    const preview = await sample.update(sampleUseCase(name, { description: 'new' }), { validateOnly: true })
    expect(preview.spec!.description).toBe('new')
    expect(await sample.registry.get(name)).toEqual(first)
  })

  test('an Avro schema is kept apart by its hash, given back to workers, and swept when nobody names it', async () => {
    const decode = { format: { case: 'avro', value: { schema: '["null", "long"]' } } } as const
    const created = await sample.create(sampleUseCase(name, { decode }))
    expect(created.spec!.decode!.format.value).toMatchObject({
      schema: '',
      schemaSha256: expect.stringMatching(/^[0-9a-f]{64}$/),
    })
    const whole = await sample.registry.withDescriptorSet(created)
    expect(whole.spec!.decode!.format.value).toMatchObject(decode.format.value)
    await sample.control.redis.del(sample.control.keys.outbox)
    expect(await sample.control.descriptorSets.sweep()).toBe(0)
    await sample.update(sampleUseCase(name))
    await sample.control.redis.del(sample.control.keys.outbox)
    expect(await sample.control.descriptorSets.sweep()).toBe(1)
  })

  test('a descriptor set can be given by the hash of one that Ferry has, until it is swept', async () => {
    const bytes = sampleDescriptorSet()
    const sha256 = hashDescriptorSet(bytes)
    await sample.create(sampleUseCase(name, { decode: protobufDecode(bytes) }))
    const decode = { format: { case: 'protobuf', value: { descriptorSetSha256: sha256, message: 'ferry.v1.Source' } } } as const
    expect((await sample.update(sampleUseCase(name, { decode }))).revision).toBe(2n)
    await sample.update(sampleUseCase(name))
    expect(await sample.control.descriptorSets.sweep()).toBe(0)
    await sample.control.redis.del(sample.control.keys.outbox)
    expect(await sample.control.descriptorSets.sweep()).toBe(1)
    await expect(sample.update(sampleUseCase(name, { decode }))).rejects.toMatchObject({
      violations: [{ reason: 'DESCRIPTOR_SET_UNKNOWN' }],
    })
  })
})

import { durationFromMs } from '@bufbuild/protobuf/wkt'
import { expect, test } from 'vitest'
import { Ordering, StartPosition, type UseCase, UseCaseSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { readEgressRules } from '../../runtime/egress-rules.ts'
import { findViolations } from '../serve/validate-request.ts'
import { hashDescriptorSet } from '../store/descriptor-sets.ts'
import { protobufDecode, sampleDescriptorSet, sampleMessage, sampleSpec, sampleUseCase } from './sample-use-case.ts'
import { storedSpec } from './stored-spec.ts'
import { type ValidateContext, type ValidateOptions, validate } from './validate.ts'

const known = sampleDescriptorSet()
const context: ValidateContext = {
  egress: readEgressRules('loopback'),
  clusters: ['default', 'archive'],
  schemaRegistries: ['default', 'west'],
  topics: { partitions: async (_cluster, topic) => (topic === 'orders' ? 3 : undefined) },
  contractViolations: (useCase) => findViolations(UseCaseSchema, useCase),
  useCases: async () => [],
  nowMs: Date.now,
  descriptorSet: async (sha256) => (sha256 === hashDescriptorSet(known) ? known : undefined),
}
const name = 'namespaces/team/useCases/orders'

const check = (useCase: UseCase, options: ValidateOptions = { asksKafka: true }, over: Partial<ValidateContext> = {}) =>
  validate(useCase, storedSpec(useCase.spec!, hashDescriptorSet), options, { ...context, ...over })
const fields = async (useCase: UseCase, options?: ValidateOptions) =>
  (await check(useCase, options)).map((each) => [each.field.replace('use_case.', ''), each.reason])

test('a right definition has no violations', async () => {
  expect(await check(sampleUseCase(name))).toEqual([])
  expect(await check(sampleUseCase(name, { decode: protobufDecode(known) }))).toEqual([])
})

test('everything that is wrong is said at once, by the contract and by what it cannot say', async () => {
  const wrong = sampleUseCase('Orders', {
    source: { topic: 'nothing', cluster: 'mars' },
    destination: { url: 'ftp://host/#a', headers: { Host: 'x' }, requestTimeout: durationFromMs(1) },
    delivery: { maxInFlight: 0 },
    retry: { successStatus: ['299-200'], maxRetries: -1 },
    decode: protobufDecode(known, 'ferry.v1.UseCas'),
  })
  expect(await fields(wrong)).toEqual(
    expect.arrayContaining([
      ['name', 'STRING_PATTERN'],
      ['spec.destination.request_timeout', expect.stringMatching(/^DURATION/)],
      ['spec.delivery.max_in_flight', expect.stringMatching(/^INT32/)],
      ['spec.retry.max_retries', expect.stringMatching(/^INT32/)],
      ['spec.destination.url', 'URL_SCHEME'],
      ['spec.destination.url', 'URL_FRAGMENT'],
      ['spec.destination.headers["Host"]', 'HEADER_RESERVED'],
      ['spec.retry.success_status[0]', 'STATUS_RANGE'],
      ['spec.decode.protobuf.message', 'MESSAGE_UNKNOWN'],
      ['spec.source.cluster', 'CLUSTER_NOT_FOUND'],
    ]),
  )
})

test('descriptions start with the path from the request, and say what was given', async () => {
  for (const violation of await check(sampleUseCase(name, { delivery: { maxInFlight: 5000 }, source: { topic: 'none' } }))) {
    expect(violation.description.startsWith(violation.field)).toBe(true)
    expect(violation.description).toMatch(/5,?000|"none"/)
  }
})

test('a topic that does not exist is refused, and a start of partitions that it does not have', async () => {
  expect(await fields(sampleUseCase(name, { source: { topic: 'none' } }))).toEqual([['spec.source.topic', 'TOPIC_NOT_FOUND']])
  const start = { case: 'offsets', value: { offsets: { 0: 1n, 3: 1n, 7: 1n } } } as const
  const violations = await check(sampleUseCase(name, { source: { topic: 'orders', start } }))
  expect(violations.map((each) => each.description)).toEqual([expect.stringContaining('0 to 2; given 3, 7')])
})

test('a start before 1970 is refused: Kafka takes negative times for something else', async () => {
  const start = { case: 'time', value: { seconds: -1n } } as const
  expect(await fields(sampleUseCase(name, { source: { topic: 'orders', start } }))).toEqual([['spec.source.time', 'START_TIME']])
})

test('Kafka being away is said as such', async () => {
  const topics = { partitions: async () => Promise.reject(new Error('connection refused')) }
  const answer = check(sampleUseCase(name), { asksKafka: true }, { topics })
  await expect(answer).rejects.toMatchObject({
    code: 'SOURCE_UNAVAILABLE',
    message: expect.stringMatching(/Kafka.*orders.*refused/),
  })
  expect(await check(sampleUseCase(name), { before: sampleSpec(), asksKafka: false }, { topics })).toEqual([])
})

test('source and ordering cannot change, and the answer has both values', async () => {
  const before = sampleSpec({ source: { topic: 'orders', cluster: 'default' } })
  const changed = sampleUseCase(name, {
    source: { topic: 'orders', start: { case: 'position', value: StartPosition.LATEST } },
    delivery: { ordering: Ordering.KEY, maxInFlight: 3 },
  })
  const violations = await check(changed, { before, asksKafka: false })
  expect(violations.map((each) => [each.field, each.reason])).toEqual([
    ['use_case.spec.source.position', 'IMMUTABLE_FIELD'],
    ['use_case.spec.delivery.ordering', 'IMMUTABLE_FIELD'],
  ])
  expect(violations[1]!.description).toContain('is "ORDERING_UNORDERED"; given "ORDERING_KEY"')
})

test('an Avro schema is given by text or by a hash that Ferry knows, and is read', async () => {
  const good = '{"type":"record","name":"A","fields":[{"name":"a","type":"long"}]}'
  const sha256 = hashDescriptorSet(Buffer.from(good))
  const over = { descriptorSet: async (asked: string) => (asked === sha256 ? Buffer.from(good) : undefined) }
  const problems = async (value: { schema?: string; schemaSha256?: string }) => {
    const violations = await check(sampleUseCase(name, { decode: { format: { case: 'avro', value } } }), undefined, over)
    return violations.map((each) => [each.field, each.reason])
  }
  expect(await problems({ schema: good })).toEqual([])
  expect(await problems({ schemaSha256: sha256 })).toEqual([])
  expect(await problems({})).toEqual([['use_case.spec.decode.avro.schema', 'SCHEMA_MISSING']])
  expect(await problems({ schema: '"strin"' })).toEqual([['use_case.spec.decode.avro.schema', 'SCHEMA_INVALID']])
  expect(await problems({ schemaSha256: '0'.repeat(64) })).toEqual([
    ['use_case.spec.decode.avro.schema_sha256', 'SCHEMA_UNKNOWN'],
  ])
  expect(await problems({ schema: good, schemaSha256: '0'.repeat(64) })).toEqual([
    ['use_case.spec.decode.avro.schema_sha256', 'SCHEMA_MISMATCH'],
  ])
})

test('a schema registry must be configured', async () => {
  const of = (registry: string) => sampleUseCase(name, { decode: { format: { case: 'schemaRegistry', value: { registry } } } })
  expect(await fields(of(''))).toEqual([])
  expect(await fields(of('west'))).toEqual([])
  const [violation] = await check(of('east'))
  expect(violation).toMatchObject({ reason: 'SCHEMA_REGISTRY_NOT_FOUND' })
  expect(violation!.description).toBe(
    'use_case.spec.decode.schema_registry.registry must be a configured schema registry (default, west); given "east"',
  )
})

test('a descriptor set is given by bytes or by a hash that Ferry knows', async () => {
  const bySha = (descriptorSetSha256: string, descriptorSet: Uint8Array = new Uint8Array()) =>
    sampleUseCase(name, {
      decode: { format: { case: 'protobuf', value: { descriptorSetSha256, descriptorSet, message: sampleMessage } } },
    })
  const sha256 = hashDescriptorSet(known)
  expect(await fields(bySha(sha256))).toEqual([])
  expect(await fields(bySha(sha256, known))).toEqual([])
  expect(await fields(bySha(''))).toEqual([['spec.decode.protobuf.descriptor_set', 'DESCRIPTOR_SET_MISSING']])
  expect(await fields(bySha('0'.repeat(64)))).toEqual([['spec.decode.protobuf.descriptor_set_sha256', 'DESCRIPTOR_SET_UNKNOWN']])
  expect(await fields(bySha('0'.repeat(64), known))).toEqual([
    ['spec.decode.protobuf.descriptor_set_sha256', 'DESCRIPTOR_SET_MISMATCH'],
  ])
})

import { Code, ConnectError, createClient, createRouterTransport } from '@connectrpc/connect'
import { afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { UseCaseSchema, UseCaseState } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { UseCaseService } from '../../proto/gen/ferry/v1/use_case_service_pb.ts'
import { BadRequestSchema, ErrorInfoSchema } from '../../proto/gen/google/rpc/error_details_pb.ts'
import { readEgressRules } from '../../runtime/egress-rules.ts'
import { readSecretKeys } from '../../runtime/secret-keys.ts'
import { sharedStack } from '../../test/stack.ts'
import { findViolations, validateRequest } from '../serve/validate-request.ts'
import { openSampleControl, prepare, type SampleControl } from '../store/sample-control.ts'
import { Lifecycle } from '../use-cases/lifecycle.ts'
import { Registry } from '../use-cases/registry.ts'
import { sampleSpec, sampleUseCase } from '../use-cases/sample-use-case.ts'
import { UseCaseSecrets } from '../use-cases/use-case-secrets.ts'
import { selfCheckingMethods, useCaseService } from './use-case-service.ts'

const name = 'namespaces/team/useCases/orders'
let redisUrl: string
let control: SampleControl

beforeAll(async () => {
  redisUrl = (await sharedStack()).redisUrl
})
beforeEach(async () => {
  control = openSampleControl(redisUrl)
  await prepare(control)
})
afterEach(() => control.close())

const noPreviews = { preview: () => expect.fail('no preview'), test: () => expect.fail('no test') }

function connect({ parked = 0 } = {}) {
  const { records, descriptorSets } = control
  const nowMs = Date.now
  const validation = {
    egress: readEgressRules('loopback'),
    clusters: ['default'],
    schemaRegistries: ['default'],
    topics: { partitions: async () => 3 },
    contractViolations: (useCase: Parameters<typeof findViolations<typeof UseCaseSchema>>[1]) =>
      findViolations(UseCaseSchema, useCase),
  }
  const registry = new Registry({ records, descriptorSets, nowMs, validation, secrets: new UseCaseSecrets(readSecretKeys('')) })
  const lifecycle = new Lifecycle({ records, nowMs, parked: { count: async () => parked } })
  const transport = createRouterTransport(
    (router) => router.service(UseCaseService, useCaseService(registry, lifecycle, noPreviews)),
    {
      router: { interceptors: [validateRequest(selfCheckingMethods)] },
    },
  )
  return createClient(UseCaseService, transport)
}

async function failure(call: Promise<unknown>) {
  const error = await call.then(
    () => expect.fail('the call was answered'),
    (reason: unknown) => ConnectError.from(reason),
  )
  return {
    code: Code[error.code],
    info: error.findDetails(ErrorInfoSchema)[0],
    fields: error.findDetails(BadRequestSchema)[0]?.fieldViolations.map((each) => each.field),
  }
}

test('a use case lives through the whole service', async () => {
  const client = connect()
  const { useCase } = await client.createUseCase({ useCase: sampleUseCase(name) })
  expect((await client.getUseCase({ name })).useCase).toEqual(useCase)
  expect((await client.listUseCases({ parent: 'namespaces/team' })).useCases).toEqual([useCase])
  const spec = sampleSpec({ description: 'new' })
  const updated = await client.updateUseCase({
    useCase: { name, etag: useCase!.etag, spec },
    updateMask: { paths: ['spec.description'] },
  })
  expect(updated.useCase).toMatchObject({ revision: 2n, spec: { description: 'new' } })
  expect((await client.pauseUseCase({ name, reason: 'why' })).useCase!.status).toMatchObject({ state: UseCaseState.PAUSED })
  expect((await client.resumeUseCase({ name })).useCase!.status).toMatchObject({ state: UseCaseState.ACTIVE })
  expect((await client.deleteUseCase({ name })).useCase!.status).toMatchObject({ state: UseCaseState.DELETING })
})

test('the audit knows who changed what, as the caller said it', async () => {
  const client = connect()
  await client.createUseCase({ useCase: sampleUseCase(name) }, { headers: { 'ferry-actor': ' orders-service ' } })
  await client.pauseUseCase({ name, reason: 'why' })
  const entries = await control.redis.xrange(control.keys.outbox, '-', '+')
  expect(entries.map(([, [, row]]) => JSON.parse(row!).actor)).toEqual(['orders-service', 'anonymous'])
})

test('mistakes that the contract knows and mistakes that it does not know come in one answer', async () => {
  const wrong = sampleUseCase(name, { delivery: { maxInFlight: 0 }, destination: { url: 'ftp://host/' } })
  const expected = {
    code: 'InvalidArgument',
    info: { reason: 'INVALID_REQUEST', domain: 'ferry' },
    fields: ['use_case.spec.delivery.max_in_flight', 'use_case.spec.destination.url'],
  }
  expect(await failure(connect().createUseCase({ useCase: wrong }))).toMatchObject(expected)
  await connect().createUseCase({ useCase: sampleUseCase(name) })
  expect(await failure(connect().updateUseCase({ useCase: wrong }))).toMatchObject(expected)
})

test('an empty request is told what is missing', async () => {
  expect((await failure(connect().createUseCase({}))).fields).toEqual(expect.arrayContaining(['use_case.name', 'use_case.spec']))
})

test('every refusal has a status and a reason', async () => {
  const client = connect({ parked: 3 })
  expect(await failure(client.getUseCase({ name }))).toMatchObject({ code: 'NotFound', info: { reason: 'USE_CASE_NOT_FOUND' } })
  expect(await failure(client.getUseCase({}))).toMatchObject({ code: 'InvalidArgument', fields: ['name'] })
  expect(await failure(client.listUseCases({ pageToken: 'x' }))).toMatchObject({ info: { reason: 'INVALID_PAGE_TOKEN' } })
  await client.createUseCase({ useCase: sampleUseCase(name) })
  expect(await failure(client.createUseCase({ useCase: sampleUseCase(name, { description: 'x' }) }))).toMatchObject({
    code: 'AlreadyExists',
    info: { reason: 'USE_CASE_EXISTS', metadata: { fields: 'spec.description' } },
  })
  const stale = { name, etag: 'stale', spec: sampleSpec() }
  expect(await failure(client.updateUseCase({ useCase: stale }))).toMatchObject({
    code: 'Aborted',
    info: { reason: 'ETAG_MISMATCH' },
  })
  const moved = sampleUseCase(name, { source: { topic: 'other' } })
  expect(await failure(client.updateUseCase({ useCase: moved }))).toMatchObject({
    code: 'InvalidArgument',
    info: { reason: 'IMMUTABLE_FIELD' },
    fields: ['use_case.spec.source.topic'],
  })
  expect(await failure(client.deleteUseCase({ name }))).toMatchObject({
    code: 'FailedPrecondition',
    info: { reason: 'DELIVERIES_WAITING', metadata: { count: '3' } },
  })
})

test('Redis being away is UNAVAILABLE, and says so', async () => {
  const client = connect()
  control.redis.disconnect()
  expect(await failure(client.getUseCase({ name }))).toMatchObject({ code: 'Unavailable', info: { reason: 'STATE_UNAVAILABLE' } })
  control = openSampleControl(redisUrl)
})

import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf'
import { durationFromMs } from '@bufbuild/protobuf/wkt'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  Concurrency,
  DestinationSchema,
  GiveUp,
  HttpMethod,
  Isolation,
  Jitter,
  LogBody,
  Ordering,
  StatusAction,
  UseCaseSchema,
  type UseCaseSpecSchema,
} from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { compilePlan, type Plan } from './plan.ts'
import { PlanError } from './plan-error.ts'
import { baseWaitMs } from './retry-policy.ts'
import { FINAL, PAUSING, RETRYABLE, SKIPPED, SUCCESS, statusClass } from './status-class.ts'

type Spec = Exclude<MessageInitShape<typeof UseCaseSpecSchema>, { $typeName: string }>

const compile = (spec: Spec = {}): Plan => compilePlan(useCase(spec))
const useCase = (spec: Spec) =>
  create(UseCaseSchema, {
    name: 'namespaces/shop/useCases/orders',
    uid: 'u1',
    revision: 7n,
    spec: { source: { topic: 'orders' }, decode: {}, destination: { url: 'https://orders.example/in?v=1' }, ...spec },
  })

const problemOf = (spec: Spec): Pick<PlanError, 'code' | 'field' | 'message'> => {
  try {
    compile(spec)
  } catch (error) {
    if (error instanceof PlanError) return error
    throw error
  }
  throw new Error('it was compiled')
}

test('a use case that says nothing has the defaults of the contract', () => {
  const { statusClasses, headers, loggedHeaders, ...plan } = compile()
  expect(plan).toEqual({
    name: 'namespaces/shop/useCases/orders',
    namespace: 'shop',
    id: 'orders',
    uid: 'u1',
    revision: 7,
    cluster: 'default',
    topic: 'orders',
    group: 'ferry.shop.orders.u1',
    isolation: 'READ_COMMITTED',
    ordering: 'UNORDERED',
    origin: 'https://orders.example',
    path: '/in?v=1',
    url: 'https://orders.example/in?v=1',
    method: 'POST',
    requestTimeoutMs: 30_000,
    connectTimeoutMs: 5000,
    retry: {
      initialMs: 5000,
      coefficient: 2,
      maximumMs: 3_600_000,
      ...{ jitterFrom: 0.8, jitterTo: 1.2 },
      maxRetries: Number.POSITIVE_INFINITY,
      maxElapsedMs: 86_400_000,
      scheduleMs: undefined,
      retryAfterMaxMs: 3_600_000,
    },
    ...{ statusPlans: new Map(), answerDecides: false },
    deliversTombstones: false,
    latestVersionWins: false,
    isAdaptive: true,
    isBackfill: false,
    ...{ giveUpFunded: true, blocks: false, deadLetterTopic: '', policyId: '-' },
    logBody: 'ALL',
    requestBodyBytesMax: 65_536,
    responseBodyBytesMax: 4096,
    successRetentionS: 259_200,
    failureRetentionS: 2_592_000,
  })
  expect(headers.slice(0, 2)).toEqual(['content-type', 'application/json'])
  expect(loggedHeaders).toEqual(headers)
  expect([204, 404, 503].map((status) => statusClass(statusClasses, status))).toEqual([SUCCESS, 0, RETRYABLE])
})

test('what is asked for takes the place of every default, also when it is 0', () => {
  const plan = compile({
    source: { cluster: 'east', topic: 'orders', isolation: Isolation.READ_UNCOMMITTED },
    destination: {
      url: 'http://[::1]:8080',
      method: HttpMethod.PATCH,
      headers: { Authorization: 'Bearer s3cret' },
      requestTimeout: durationFromMs(1500),
      connectTimeout: durationFromMs(250),
    },
    delivery: { ordering: Ordering.KEY },
    retry: {
      initialInterval: durationFromMs(1),
      backoffCoefficient: 1,
      maximumInterval: durationFromMs(2),
      jitterRatio: 0,
      maxRetries: 0,
      maxElapsedTime: durationFromMs(0),
      successStatus: ['202'],
      retryableStatus: ['404'],
      retryAfterMax: durationFromMs(0),
      giveUp: GiveUp.UNFUNDED,
    },
    log: {
      requestBody: LogBody.NONE,
      requestBodyBytesMax: 0,
      responseBodyBytesMax: 0,
      successRetention: durationFromMs(1000),
      failureRetention: durationFromMs(1001),
    },
  })
  expect(plan).toMatchObject({
    ...{ cluster: 'east', isolation: 'READ_UNCOMMITTED', origin: 'http://[::1]:8080', path: '/', method: 'PATCH' },
    ...{ requestTimeoutMs: 1500, connectTimeoutMs: 250, ordering: 'KEY', giveUpFunded: false, logBody: 'NONE' },
    ...{ requestBodyBytesMax: 0, responseBodyBytesMax: 0, successRetentionS: 1, failureRetentionS: 2 },
    retry: {
      initialMs: 1,
      coefficient: 1,
      maximumMs: 2,
      jitterFrom: 1,
      jitterTo: 1,
      maxRetries: 0,
      maxElapsedMs: 0,
      retryAfterMaxMs: 0,
    },
  })
  expect([202, 200, 404, 503].map((status) => statusClass(plan.statusClasses, status))).toEqual([SUCCESS, 0, RETRYABLE, 0])
  expect(plan.headers).toContain('Bearer s3cret')
  expect(plan.loggedHeaders).not.toContain('Bearer s3cret')
})

test('a schedule takes the place of the intervals and of max_retries', () => {
  const schedule = [1000, 60_000, 10_000].map(durationFromMs)
  expect(compile({ retry: { schedule, maxRetries: 50 } }).retry).toMatchObject({
    scheduleMs: [1000, 60_000, 10_000],
    maximumMs: 60_000,
    maxRetries: 3,
    ...{ jitterFrom: 0.8, jitterTo: 1.2 },
  })
})

test('jitter draws from half or none of a wait to the whole', () => {
  expect(compile({ retry: { jitter: Jitter.EQUAL } }).retry).toMatchObject({ jitterFrom: 0.5, jitterTo: 1 })
  expect(compile({ retry: { jitter: Jitter.FULL } }).retry).toMatchObject({ jitterFrom: 0, jitterTo: 1 })
})

test('a rule gives its statuses a meaning, and waits and a number of retries of their own', () => {
  const { RETRY, FAIL, SKIP, PAUSE } = StatusAction
  const plan = compile({
    retry: {
      maxRetries: 9,
      statusRules: [
        { status: ['409', '420-421'], action: RETRY, interval: durationFromMs(700), maxRetries: 20 },
        { status: ['404'], action: RETRY, maxRetries: 1 },
        { status: ['500-504'], action: FAIL },
        { status: ['202'], action: SKIP },
        { status: ['410'], action: PAUSE },
      ],
    },
  })
  const meaning = [409, 421, 404, 502, 202, 410, 200].map((status) => statusClass(plan.statusClasses, status))
  expect(meaning).toEqual([RETRYABLE, RETRYABLE, RETRYABLE, FINAL, SKIPPED, PAUSING, SUCCESS])
  expect([...plan.statusPlans.keys()]).toEqual([409, 420, 421, 404])
  expect(plan.statusPlans.get(420)).toEqual({ ...plan.retry, scheduleMs: [700], maximumMs: 700, maxRetries: 9 })
  expect(plan.statusPlans.get(404)).toEqual({ ...plan.retry, maxRetries: 1 })
  expect([1, 5].map((attempts) => baseWaitMs(plan.statusPlans.get(409)!, attempts))).toEqual([700, 700])
})

test('a default gives way to a shorter bound that was asked for', () => {
  expect(compile({ destination: { url: 'http://a/', requestTimeout: durationFromMs(2000) } }).connectTimeoutMs).toBe(2000)
  expect(compile({ retry: { maximumInterval: durationFromMs(300) } }).retry.initialMs).toBe(300)
})

test('every duration is rounded up to a whole millisecond, so that none becomes 0', () => {
  const nanos = fc.integer({ min: 1, max: 999_999_999 })
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 600 }), nanos, (seconds, nanos) => {
      const plan = compile({ destination: { url: 'http://a/', requestTimeout: { seconds: BigInt(seconds), nanos } } })
      expect(Number.isInteger(plan.requestTimeoutMs)).toBe(true)
      expect(plan.requestTimeoutMs).toBeGreaterThan(0)
      expect(plan.requestTimeoutMs - (seconds * 1000 + nanos / 1e6)).toBeGreaterThanOrEqual(0)
      expect(plan.requestTimeoutMs - (seconds * 1000 + nanos / 1e6)).toBeLessThan(1)
    }),
  )
})

describe('what this worker cannot carry out', () => {
  test('a value that it does not know asks for an upgrade', () => {
    const unknown: [Spec, string][] = [
      [{ delivery: { ordering: 9 as Ordering } }, 'spec.delivery.ordering'],
      [{ retry: { giveUp: 9 as GiveUp } }, 'spec.retry.give_up'],
      [{ log: { requestBody: 9 as LogBody } }, 'spec.log.request_body'],
      [{ source: { topic: 't', isolation: 9 as Isolation } }, 'spec.source.isolation'],
      [{ destination: { url: 'http://a/', method: 9 as HttpMethod } }, 'spec.destination.method'],
    ]
    for (const [spec, field] of unknown)
      expect(problemOf(spec)).toMatchObject({
        code: 'UNSUPPORTED',
        field,
        message: expect.stringContaining('Upgrade this worker'),
      })
  })

  test('a field that it does not know is refused, not ignored', () => {
    const sent = toBinary(UseCaseSchema, useCase({}))
    const received = fromBinary(UseCaseSchema, sent)
    expect(() => compilePlan(received)).not.toThrow()
    const newer = Buffer.concat([toBinary(DestinationSchema, received.spec!.destination!), Buffer.from([0x98, 0x06, 1])])
    received.spec!.destination = fromBinary(DestinationSchema, newer)
    expect(() => compilePlan(received)).toThrow(/spec.destination has field number 99, .* Upgrade this worker/)
  })

  test('a missing part, an impossible name', () => {
    expect(() => compilePlan(create(UseCaseSchema, { name: 'namespaces/a/useCases/b', uid: 'u' }))).toThrow(/spec is not set/)
    expect(problemOf({ source: { topic: '' } })).toMatchObject({ code: 'MISSING', field: 'spec.source.topic' })
    const anonymous = useCase({})
    anonymous.name = 'orders'
    expect(() => compilePlan(anonymous)).toThrow(/name is "orders"/)
  })

  test('a URL that is none, of another scheme, or with credentials in it; they are not shown', () => {
    for (const url of [
      '',
      'orders.example',
      'ftp://orders.example/',
      'https://me:s3cret@orders.example/',
      'https://s3cret@x:99999/',
    ]) {
      const problem = problemOf({ destination: { url } })
      expect(problem).toMatchObject({ code: 'INVALID', field: 'spec.destination.url' })
      expect(problem.message).not.toContain('s3cret')
    }
  })

  test('numbers that nothing could be done with', () => {
    const bad: Spec['retry'][] = [
      { backoffCoefficient: 0.5 },
      { backoffCoefficient: Number.NaN },
      { jitterRatio: 2 },
      { maxRetries: -1 },
      { initialInterval: durationFromMs(0) },
      { maximumInterval: durationFromMs(-1) },
      { schedule: [durationFromMs(0)] },
      { successStatus: ['abc'] },
    ]
    for (const retry of bad)
      expect(problemOf({ retry })).toMatchObject({ code: 'INVALID', field: expect.stringMatching(/^spec\.retry\./) })
    expect(problemOf({ log: { requestBodyBytesMax: -1 } }).code).toBe('INVALID')
  })
})

test('concurrency is adaptive where nothing is said of it', () => {
  const isAdaptive = (delivery: Spec['delivery']) => compile({ ...(delivery && { delivery }) }).isAdaptive
  expect([undefined, {}, { maxInFlight: 64 }].map(isAdaptive)).toEqual([true, true, false])
  const { ADAPTIVE, FIXED } = Concurrency
  expect(isAdaptive({ maxInFlight: 64, concurrency: ADAPTIVE })).toBe(true)
  expect(isAdaptive({ concurrency: FIXED })).toBe(false)
  expect(problemOf({ delivery: { concurrency: 9 as Concurrency } })).toMatchObject({ field: 'spec.delivery.concurrency' })
})

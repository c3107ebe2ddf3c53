import { clone, equals } from '@bufbuild/protobuf'
import { durationFromMs, durationMs } from '@bufbuild/protobuf/wkt'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  Concurrency,
  GiveUp,
  HttpMethod,
  Isolation,
  LogBody,
  Ordering,
  StartPosition,
  TombstonePolicy,
  UseCaseSpecSchema,
} from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { defaults, effective } from './defaults.ts'
import { differences } from './differences.ts'
import { sampleSpec } from './sample-use-case.ts'

const specs = fc
  .record(
    {
      cluster: fc.constantFrom('', 'default', 'other'),
      method: fc.constantFrom(HttpMethod.UNSPECIFIED, HttpMethod.POST, HttpMethod.PUT),
      requestTimeoutMs: fc.integer({ min: 10, max: 600_000 }),
      connectTimeoutMs: fc.integer({ min: 10, max: 60_000 }),
      maxInFlight: fc.integer({ min: 1, max: 4096 }),
      maxRetries: fc.nat({ max: 100 }),
      parkedBytesMax: fc.bigInt({ min: 0n, max: 1n << 40n }),
      maximumMs: fc.integer({ min: 1, max: 604_800_000 }),
      schedule: fc.array(fc.integer({ min: 1, max: 1000 }), { maxLength: 4 }),
      successStatus: fc.constantFrom<string[]>([], ['200-299'], ['204', '200']),
      headers: fc.constantFrom({}, { 'X-Team': 'a' }, { 'x-team': 'a', b: '' }),
    },
    { requiredKeys: ['cluster', 'method', 'schedule', 'successStatus', 'headers'] },
  )
  .map((each) =>
    sampleSpec({
      source: { topic: 'orders', cluster: each.cluster },
      destination: {
        url: 'http://host/path',
        method: each.method,
        headers: each.headers as Record<string, string>,
        ...(each.requestTimeoutMs && { requestTimeout: durationFromMs(each.requestTimeoutMs) }),
        ...(each.connectTimeoutMs && { connectTimeout: durationFromMs(each.connectTimeoutMs) }),
      },
      delivery: {
        ...(each.maxInFlight !== undefined && { maxInFlight: each.maxInFlight }),
        ...(each.parkedBytesMax !== undefined && { parkedBytesMax: each.parkedBytesMax }),
      },
      retry: {
        schedule: each.schedule.map((ms) => durationFromMs(ms)),
        successStatus: each.successStatus,
        ...(each.maxRetries !== undefined && { maxRetries: each.maxRetries }),
        ...(each.maximumMs !== undefined && { maximumInterval: durationFromMs(each.maximumMs) }),
      },
    }),
  )

describe('the effective definition', () => {
  test.each([
    [{}, Concurrency.ADAPTIVE, 1024],
    [{ maxInFlight: 5 }, Concurrency.FIXED, 5],
    [{ concurrency: Concurrency.FIXED }, Concurrency.FIXED, 64],
    [{ concurrency: Concurrency.ADAPTIVE, maxInFlight: 200 }, Concurrency.ADAPTIVE, 200],
  ])('of concurrency %j', (delivery, concurrency, maxInFlight) => {
    expect(effective(sampleSpec({ delivery })).delivery).toMatchObject({ concurrency, maxInFlight })
  })

  test('fills defaults once: filling a filled one changes nothing', () => {
    fc.assert(
      fc.property(specs, (spec) => {
        const filled = effective(spec)
        expect(equals(UseCaseSpecSchema, effective(filled), filled)).toBe(true)
      }),
    )
  })

  test('does not write to what was asked', () => {
    fc.assert(
      fc.property(specs, (spec) => {
        const before = clone(UseCaseSpecSchema, spec)
        effective(spec)
        expect(equals(UseCaseSpecSchema, spec, before)).toBe(true)
      }),
    )
  })

  test('keeps a zero that was asked for', () => {
    const filled = effective(sampleSpec({ retry: { maxRetries: 0, jitterRatio: 0 }, delivery: { parkedBytesMax: 0n } }))
    expect(filled.retry).toMatchObject({ maxRetries: 0, jitterRatio: 0 })
    expect(filled.delivery!.parkedBytesMax).toBe(0n)
  })

  test('a default gives way to a shorter bound that was asked for', () => {
    const filled = effective(
      sampleSpec({
        destination: { url: 'http://host/', requestTimeout: durationFromMs(2000) },
        retry: { maximumInterval: durationFromMs(1000) },
      }),
    )
    expect(durationMs(filled.destination!.connectTimeout!)).toBe(2000)
    expect(durationMs(filled.retry!.initialInterval!)).toBe(1000)
  })

  test('a definition that spells out every default means the same as one that says nothing', () => {
    const spelled = sampleSpec({
      source: {
        topic: 'orders',
        cluster: 'default',
        start: { case: 'position', value: StartPosition.EARLIEST },
        isolation: Isolation.READ_COMMITTED,
      },
      decode: { format: { case: 'json', value: {} }, tombstone: TombstonePolicy.SKIP, bodyBytesMax: defaults.bodyBytesMax },
      destination: { url: 'http://127.0.0.1:8080/orders', method: HttpMethod.POST, requestTimeout: durationFromMs(30_000) },
      delivery: {
        ordering: Ordering.UNORDERED,
        concurrency: Concurrency.ADAPTIVE,
        maxInFlight: 1024,
        parkedMax: 100_000n,
        parkedBytesMax: defaults.parkedBytesMax,
      },
      retry: {
        initialInterval: durationFromMs(5000),
        retryableStatus: ['500-599', '429', '425', '408', '!501'],
        giveUp: GiveUp.FUNDED,
      },
      log: { requestBody: LogBody.ALL, failureRetention: durationFromMs(30 * 86_400_000) },
    })
    expect(differences(sampleSpec(), spelled)).toEqual([])
  })
})

describe('differences', () => {
  test('there are none between a definition and itself', () => {
    fc.assert(
      fc.property(specs, (spec) => {
        expect(differences(spec, clone(UseCaseSpecSchema, spec))).toEqual([])
      }),
    )
  })

  test('each names its field by the contract, with both values', () => {
    const found = differences(sampleSpec({ retry: { maxRetries: 3 } }), sampleSpec({ delivery: { maxInFlight: 8 } }))
    expect(found).toEqual([
      { path: 'spec.delivery.max_in_flight', before: '1024', after: '8' },
      { path: 'spec.delivery.concurrency', before: '"CONCURRENCY_ADAPTIVE"', after: '"CONCURRENCY_FIXED"' },
      { path: 'spec.retry.max_retries', before: '3', after: 'not set' },
    ])
  })

  test('values of headers are not shown', () => {
    const destination = { url: 'http://127.0.0.1:8080/orders', headers: { authorization: 'Bearer very-secret' } }
    const found = differences(sampleSpec(), sampleSpec({ destination }))
    expect(found.map((each) => each.path)).toEqual(['spec.destination.headers'])
    expect(JSON.stringify(found)).not.toContain('very-secret')
  })
})

import { create } from '@bufbuild/protobuf'
import { durationFromMs } from '@bufbuild/protobuf/wkt'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { BatchFormat, BatchItem } from '../../proto/gen/ferry/v1/batching_pb.ts'
import { CloudEventsMode } from '../../proto/gen/ferry/v1/cloud_events_pb.ts'
import { DestinationSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { readEgressRules } from '../../runtime/egress-rules.ts'
import { checkDestination } from './check-destination.ts'

const egress = readEgressRules('loopback')
const check = (url: string, headers: Record<string, string> = {}) =>
  checkDestination(create(DestinationSchema, { url, headers }), egress, Date.now())
const reasons = (url: string, headers: Record<string, string> = {}) => check(url, headers).map((each) => each.reason)

describe('the URL', () => {
  test.each([
    ['http://127.0.0.1:8080/a?b=c', []],
    ['https://Orders.Example', []],
    ['HTTPS://orders.example/%20', []],
    ['http://[::1]:8080/', []],
    ['orders', ['URL_INVALID']],
    ['http:orders.example', ['URL_INVALID']],
    ['http:///orders', ['URL_INVALID']],
    ['http://orders.example:0/', ['URL_INVALID']],
    ['http://orders.example/a b', ['URL_INVALID']],
    ['ftp://orders.example/', ['URL_SCHEME']],
    ['file:///etc/passwd', ['URL_SCHEME']],
    ['http://10.1.2.3/', ['URL_BLOCKED']],
    ['http://0xa9fea9fe/latest/meta-data', ['URL_BLOCKED']],
    ['http://[::ffff:a00:1]/', ['URL_BLOCKED']],
    ['https://orders.example/#part', ['URL_FRAGMENT']],
    ['https://orders.example/#', ['URL_FRAGMENT']],
    ['https://user:pass@orders.example/#x', ['URL_CREDENTIALS', 'URL_FRAGMENT']],
  ])('%s: %j', (url, expected) => {
    expect(reasons(url)).toEqual(expected)
  })

  test('a password is never repeated', () => {
    for (const url of ['https://user:hunter2@host/#a', 'http://user:hunter2@', 'ftp://user:hunter2@host']) {
      expect(JSON.stringify(check(url))).not.toContain('hunter2')
    }
  })
})

describe('headers', () => {
  test('every token is a name, and every text of visible characters a value', () => {
    const token = fc.string({ unit: fc.constantFrom(...'abcXYZ019-_.~!#$%&*+^`|'), minLength: 1, maxLength: 30 })
    const visible = fc.string({ unit: fc.constantFrom(...'azAZ09 ,;="'), maxLength: 40 }).map((text) => text.trim())
    fc.assert(
      fc.property(token, visible, (name, value) => {
        expect(reasons('http://host/', { [`x-${name}`]: value })).toEqual([])
      }),
    )
  })

  test.each(['a b', 'a:b', 'ä', '', 'a\r\nb', 'a(b'])('%j is no name', (name) => {
    expect(reasons('http://host/', { [name]: 'x' })).toEqual(['HEADER_NAME'])
  })

  test.each(['a\r\nx-evil: 1', ' a', 'a ', 'ä', 'a\0b', '\t'])('%j is no value', (value) => {
    expect(reasons('http://host/', { 'x-a': value })).toEqual(['HEADER_VALUE'])
  })

  test.each([
    'Connection',
    'content-length',
    'HOST',
    'Transfer-Encoding',
    'Idempotency-Key',
    'Ferry-Offset',
    'ferry-',
    'traceparent',
  ])("%s is not the caller's to set", (name) => {
    expect(reasons('http://host/', { [name]: 'x' })).toEqual(['HEADER_RESERVED'])
  })

  test('the same header twice in different letters is refused', () => {
    expect(reasons('http://host/', { 'X-Team': 'a', 'x-team': 'b' })).toEqual(['HEADER_DUPLICATE'])
  })

  test('a value is never repeated', () => {
    expect(JSON.stringify(check('http://host/', { authorization: 'Bearer hunter2\n' }))).not.toContain('hunter2')
  })
})

describe('timeouts', () => {
  test('connecting may not take longer than the request, asked for or by default', () => {
    const url = 'http://host/'
    const timeouts = (requestMs: number | undefined, connectMs: number) =>
      checkDestination(
        create(DestinationSchema, {
          url,
          connectTimeout: durationFromMs(connectMs),
          ...(requestMs && { requestTimeout: durationFromMs(requestMs) }),
        }),
        egress,
        Date.now(),
      )
    expect(timeouts(1000, 1000)).toEqual([])
    expect(timeouts(undefined, 30_000)).toEqual([])
    expect(timeouts(1000, 1500)[0]).toMatchObject({
      field: 'use_case.spec.destination.connect_timeout',
      reason: 'INTERVAL_ORDER',
      description: expect.stringMatching(/at most the request_timeout of 1s; given 1\.500?s/),
    })
    expect(timeouts(undefined, 31_000)[0]!.description).toContain('30s (the default)')
  })
})

test('a batch of CloudEvents is an array of structured ones', () => {
  const check = (cloudEvents: object, batch: object) =>
    checkDestination(create(DestinationSchema, { url: 'http://127.0.0.1/', batch, cloudEvents }), egress, 0)
  const structured = { mode: CloudEventsMode.STRUCTURED }
  expect(check(structured, {})).toEqual([])
  expect(check(structured, { format: BatchFormat.JSON_ARRAY, item: BatchItem.VALUE })).toEqual([])
  const violations = check({}, { format: BatchFormat.NDJSON, item: BatchItem.ENVELOPE })
  expect(violations.map(({ field, reason }) => [field, reason])).toEqual([
    ['use_case.spec.destination.cloud_events.mode', 'BATCH_OF_EVENTS'],
    ['use_case.spec.destination.batch.format', 'BATCH_OF_EVENTS'],
    ['use_case.spec.destination.batch.item', 'BATCH_OF_EVENTS'],
  ])
  expect(violations[0]!.description).toBe(
    'use_case.spec.destination.cloud_events.mode must be CLOUD_EVENTS_MODE_STRUCTURED beside cloud_events and batch: attributes in headers are those of one event',
  )
})

import { create, type MessageInitShape } from '@bufbuild/protobuf'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { defaultDecodeLimits } from '../../convert/decode/decode-limits.ts'
import type { SourceRecord } from '../../convert/source-record.ts'
import { CloudEventsMode, type CloudEventsSchema } from '../../proto/gen/ferry/v1/cloud_events_pb.ts'
import { UseCaseSchema, type UseCaseSpecSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { readEgressRules } from '../../runtime/egress-rules.ts'
import { readSecretKeys } from '../../runtime/secret-keys.ts'
import { prepareLaneHeaders, RequestHeaders } from './request-headers.ts'
import { compileRoute } from './route.ts'

type Events = Exclude<MessageInitShape<typeof CloudEventsSchema>, { $typeName: string }>
type Spec = Pick<Exclude<MessageInitShape<typeof UseCaseSpecSchema>, { $typeName: string }>, 'decode' | 'destination'>

const lane = { uid: 'u1', cluster: 'default', topic: 'orders', partition: 3 }
const structured: Events = { mode: CloudEventsMode.STRUCTURED }
const record = (over: Partial<SourceRecord> = {}): SourceRecord => ({
  ...{ offset: '42', key: Buffer.from('k1'), value: null, timestamp: '1700000000123', headers: {}, ...over },
})

/** What is sent for a record: headers without Ferry's own, and the body. */
function send(events: Events, given = record(), body = '{"n":1.0}', spec: Spec = {}) {
  const useCase = create(UseCaseSchema, {
    ...{ name: 'namespaces/shop/useCases/orders', uid: 'u1', revision: 1n },
    spec: {
      ...{ source: { topic: 'orders' }, decode: spec.decode ?? { format: { case: 'json', value: {} } } },
      destination: spec.destination ?? { url: 'http://127.0.0.1/', cloudEvents: events },
    },
  })
  const jsonata = { evaluate: async (_expression: string, text: string) => text }
  const means = { limits: defaultDecodeLimits, egress: readEgressRules('loopback'), keys: readSecretKeys(''), jsonata }
  const route = compileRoute(useCase, means)
  const slot = new RequestHeaders(route.plan, false, true)
  slot.fill(prepareLaneHeaders(lane, 1), '42', 0, 1, undefined)
  const sent = route.finish!(slot, lane, given, Buffer.from(body), 1_700_000_000_000)
  const pairs = slot.sent.flatMap((name, at) => (at % 2 === 0 ? [[name, slot.sent[at + 1]!] as const] : []))
  return { headers: Object.fromEntries(pairs), body: String(sent), logged: slot.logged, sent: slot.sent }
}

const attributesOf = (headers: Record<string, string>) =>
  Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith('ce-')))

describe('binary mode', () => {
  test('has the body as it is, and attributes as headers with their defaults', () => {
    const { headers, body, sent, logged } = send({})
    expect(body).toBe('{"n":1.0}')
    expect(headers['content-type']).toBe('application/json')
    expect(attributesOf(headers)).toEqual({
      'ce-specversion': '1.0',
      'ce-id': 'orders/3/42',
      'ce-source': '/namespaces/shop/useCases/orders',
      'ce-type': 'orders',
      'ce-time': '2023-11-14T22:13:20.123Z',
      'ce-partitionkey': 'k1',
    })
    expect(logged).toEqual(sent)
  })

  test('takes type, source and subject from constants and templates', () => {
    const events = { type: 'com.acme.{header:kind}', source: '/kafka/{topic}/{key}', subject: 'order {key}' }
    const given = record({ key: Buffer.from('a/b'), headers: { kind: Buffer.from('placed') } })
    expect(attributesOf(send(events, given).headers)).toMatchObject({
      // A percent sign is encoded once more: the receiver has /kafka/orders/a%2Fb.
      ...{ 'ce-type': 'com.acme.placed', 'ce-source': '/kafka/orders/a%252Fb', 'ce-subject': 'order%20a/b' },
    })
  })

  test('goes back to the defaults where a record gives nothing, and leaves out what may be left out', () => {
    const events = { type: 'com.{header:kind}', source: '/{key}', subject: '{key}' }
    const { headers } = send(events, record({ key: null, timestamp: '-1' }))
    expect(attributesOf(headers)).toEqual({
      ...{
        'ce-specversion': '1.0',
        'ce-id': 'orders/3/42',
        'ce-source': '/namespaces/shop/useCases/orders',
        'ce-type': 'orders',
      },
    })
  })

  test('encodes what a header cannot hold: the example of the specification', () => {
    const { headers } = send({ subject: '{key}' }, record({ key: Buffer.from('Euro € 😀 "50%"') }))
    expect(headers['ce-subject']).toBe('Euro%20%E2%82%AC%20%F0%9F%98%80%20%2250%25%22')
  })

  test('whatever the key, headers are visible ASCII and say the same after decoding', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 50 }), (key) => {
        const value = send({}, record({ key: Buffer.from(key) })).headers['ce-partitionkey']
        if (/\p{Cc}/u.test(key)) expect(value).toBeUndefined()
        else {
          expect(value).toMatch(/^[\x21-\x7e]+$/)
          expect(decodeURIComponent(value!)).toBe(key)
        }
      }),
    )
  })
})

describe('structured mode', () => {
  test('has the body byte by byte as data, and no ce- headers', () => {
    const { headers, body } = send(structured, record(), '{"n":1.0, "big":12345678901234567890}')
    expect(headers['content-type']).toBe('application/cloudevents+json; charset=utf-8')
    expect(attributesOf(headers)).toEqual({})
    expect(body).toMatch(/,"data":\{"n":1\.0, "big":12345678901234567890\}\}$/)
    expect(JSON.parse(body)).toEqual({
      ...{ specversion: '1.0', id: 'orders/3/42', source: '/namespaces/shop/useCases/orders', type: 'orders' },
      ...{ time: '2023-11-14T22:13:20.123Z', partitionkey: 'k1', datacontenttype: 'application/json' },
      data: JSON.parse('{"n":1.0, "big":12345678901234567890}'),
    })
  })

  test('has text as it is in attributes', () => {
    expect(JSON.parse(send({ ...structured, subject: '{key}' }, record({ key: Buffer.from('€ "x" \\') })).body).subject).toBe(
      '€ "x" \\',
    )
  })

  test('has values that are anything as data_base64, and their tombstones as null', () => {
    const bytes: Spec = { decode: { format: { case: 'bytes', value: {} } } }
    const event = JSON.parse(send(structured, record(), '"AAEC"', bytes).body)
    expect(event).toMatchObject({ datacontenttype: 'application/octet-stream', data_base64: 'AAEC' })
    expect(event).not.toHaveProperty('data')
    expect(JSON.parse(send(structured, record(), 'null', bytes).body)).toMatchObject({
      datacontenttype: 'application/json',
      data: null,
    })
  })

  test('is signed as it is sent', () => {
    const keys = [{ value: `whsec_${Buffer.alloc(32, 1).toString('base64')}` }]
    const signing = { destination: { url: 'http://127.0.0.1/', signing: { keys }, cloudEvents: structured } }
    const [wrapped, plain] = [
      send(structured, record(), '{}', signing),
      send({}, record(), '{}', { destination: { ...signing.destination, cloudEvents: {} } }),
    ]
    expect(wrapped.headers['webhook-signature']).toMatch(/^v1,/)
    expect(wrapped.headers['webhook-signature']).not.toBe(plain.headers['webhook-signature'])
  })
})

describe('a record that is an event already', () => {
  const text = (headers: Record<string, string>) =>
    Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, Buffer.from(value)]))
  const own = {
    ...{
      ce_specversion: '1.0',
      ce_id: 'e-1',
      ce_source: '/shop',
      ce_type: 'placed',
      ce_subject: 'ü',
      ce_time: '2020-01-01T00:00:00Z',
    },
    ...{ ce_tenant: 'blue', 'content-type': 'application/avro', ce_datacontenttype: 'text/plain', 'ce_no-name': 'x', other: 'y' },
  }

  test('keeps its attributes when asked, and has the content type of what is sent', () => {
    const { headers } = send({ passThrough: true, type: 'never' }, record({ headers: text(own) }))
    expect(headers['content-type']).toBe('application/json')
    expect(attributesOf(headers)).toEqual({
      ...{ 'ce-specversion': '1.0', 'ce-id': 'e-1', 'ce-source': '/shop', 'ce-type': 'placed', 'ce-subject': '%C3%BC' },
      ...{ 'ce-time': '2020-01-01T00:00:00Z', 'ce-tenant': 'blue', 'ce-partitionkey': 'k1' },
    })
    const withKey = text({ ...own, ce_partitionkey: 'own' })
    expect(JSON.parse(send({ ...structured, passThrough: true }, record({ headers: withKey })).body)).toMatchObject({
      ...{ id: 'e-1', partitionkey: 'own', tenant: 'blue', datacontenttype: 'application/json' },
    })
  })

  test('is any other record unless asked, or when it lacks what an event must have', () => {
    expect(send({}, record({ headers: text(own) })).headers['ce-id']).toBe('orders/3/42')
    for (const missing of ['ce_id', 'ce_source', 'ce_type', 'ce_specversion']) {
      const { [missing as 'ce_id']: _, ...rest } = own
      expect(send({ passThrough: true }, record({ headers: text(rest) })).headers['ce-id'], missing).toBe('orders/3/42')
    }
    expect(send({ passThrough: true }, record({ headers: text({ ...own, ce_specversion: '0.3' }) })).headers['ce-id']).toBe(
      'orders/3/42',
    )
  })

  test('cannot make a request of any length', () => {
    const many = Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`ce_x${at}`, 'y']))
    const { headers } = send({ passThrough: true }, record({ headers: text({ ...many, ...own, ce_huge: 'x'.repeat(5000) }) }))
    expect(Object.keys(attributesOf(headers)).length).toBeLessThanOrEqual(33)
    expect(headers).not.toHaveProperty('ce-huge')
  })
})

test('a template that was not checked is no crash', () => {
  expect(() => send({ type: '{value}' })).toThrow(/cloud_events\.type has \{value\}.*Update the use case/)
})

import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { expect, test } from 'vitest'
import { CloudEventsMode } from '../../proto/gen/ferry/v1/cloud_events_pb.ts'
import { DestinationSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { readEgressRules } from '../../runtime/egress-rules.ts'
import { checkDestination } from './check-destination.ts'

type Given = Exclude<MessageInitShape<typeof DestinationSchema>, { $typeName: string }>

const problems = (given: Given): string[] => {
  const destination = create(DestinationSchema, { url: 'https://orders.example/', ...given })
  const path = 'use_case.spec.destination.'
  return checkDestination(destination, readEgressRules(''), 0).map(({ field, reason }) => `${field.replace(path, '')} ${reason}`)
}

test.each<[string, Given]>([
  ['nothing but defaults', { cloudEvents: {} }],
  ['constants', { cloudEvents: { type: 'com.acme.order', source: '/a/b?c=d#e', subject: 'an order, ü' } }],
  ['templates', { cloudEvents: { type: '{header:kind}.v1', source: 'urn:x:{topic}:{key}', subject: '{key}' } }],
  ['a content type of its own, in binary mode', { cloudEvents: {}, headers: { 'content-type': 'application/vnd.acme+json' } }],
])('%s: right', (_what, given) => {
  expect(problems(given)).toEqual([])
})

test('everything that is wrong is said at once', () => {
  const cloudEvents = { mode: CloudEventsMode.STRUCTURED, type: '{value}', source: 'a b', subject: 'a\n' }
  const secret = { case: 'apiKey' as const, value: { headers: { 'ce-key': { value: 'hunter2' } } } }
  expect(problems({ cloudEvents, headers: { 'Content-Type': 'text/plain', 'CE-Id': '1' }, auth: { scheme: secret } })).toEqual([
    'cloud_events.type CLOUD_EVENTS_TEMPLATE',
    'cloud_events.source CLOUD_EVENTS_TEMPLATE',
    'cloud_events.subject CLOUD_EVENTS_TEMPLATE',
    'headers["Content-Type"] HEADER_RESERVED',
    'headers["CE-Id"] HEADER_RESERVED',
    'auth.api_key.headers["ce-key"] HEADER_RESERVED',
  ])
})

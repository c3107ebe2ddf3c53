import { createHmac } from 'node:crypto'
import { create } from '@bufbuild/protobuf'
import { expect, test } from 'vitest'
import { SigningSchema } from '../../proto/gen/ferry/v1/credentials_pb.ts'
import { prepareLaneHeaders } from '../deliver/request-headers.ts'
import { compileRoute } from '../deliver/route.ts'
import type { Lane } from './lane.ts'
import { Load } from './load.ts'
import type { Parked } from './parked.ts'
import { BatchItem, RequestBatch } from './request-batch.ts'
import { sampleMeans, sampleUseCase } from './sample-route.ts'

const id = { uid: 'u1', cluster: 'default', topic: 't', partition: 0 }
const lane = { id, headers: prepareLaneHeaders(id, 5) } as Lane
const secret = Buffer.alloc(32, 7)

function route(signs: boolean) {
  const useCase = sampleUseCase('UNORDERED', undefined, undefined, '', {})
  const keys = [{ value: `whsec_${secret.toString('base64')}` }]
  if (signs) useCase.spec!.destination!.signing = create(SigningSchema, { keys })
  return compileRoute(useCase, sampleMeans)
}

/** Fills a request slot with a batch of these offsets. */
function fill(load: Load, offsets: readonly number[], { plan, ...rest } = route(false), newKeys = ''): Map<string, string> {
  const batch = new RequestBatch(plan.batch!)
  for (const offset of offsets) {
    const item = new BatchItem()
    item.record = { offset: String(offset), timestamp: '0', key: null, value: null, headers: { traceparent: '00-x' } }
    Object.assign(item.row, { offset, attempt: 1, retryBatch: newKeys })
    if (newKeys !== '') item.entry = { newKey: true } as Parked
    item.body = Buffer.from(String(offset))
    batch.add(item)
  }
  load.addressBatch({ plan, ...rest }, lane, batch, 1_764_000_000_000)
  const { headers } = load
  return new Map(headers.flatMap((name, at) => (at % 2 === 0 ? [[name, headers[at + 1]!] as const] : [])))
}

test('a slot names the batch that it carries now, and nothing of the one before', () => {
  const load = new Load()
  const used = route(false)
  fill(load, [1, 2, 3], used)
  const headers = fill(load, [7, 5], used)
  expect(load.headers.filter((text) => text === 'ferry-batch')).toHaveLength(1)
  expect(headers.get('ferry-batch')).toBe('2')
  expect(headers.get('ferry-record')).toBe('t/0/5-7')
  expect(headers.get('idempotency-key')).toMatch(/^u1\/default\/t\/0\/5-7\/2\/[0-9a-f]{16}$/)
  expect(headers.has('traceparent')).toBe(false)
  expect(load.body.toString()).toBe('[7,5]')
})

test('a batch is signed as a whole, under an id that the same records have again and no others', () => {
  const signs = route(true)
  const load = new Load()
  const headers = fill(load, [1, 2, 3], signs)
  const webhookId = headers.get('webhook-id')!
  expect(webhookId).toMatch(/^msg_u1_0_1-3-[0-9a-f]{16}$/)
  const content = `${webhookId}.${headers.get('webhook-timestamp')}.[1,2,3]`
  expect(headers.get('webhook-signature')).toBe(`v1,${createHmac('sha256', secret).update(content).digest('base64')}`)
  const logged = load.batch!.first.row.requestHeaders
  expect(logged[logged.indexOf('webhook-signature') + 1]).toBe('***')
  expect(logged[logged.indexOf('idempotency-key') + 1]).toBe(headers.get('idempotency-key'))
  expect(fill(new Load(), [1, 2, 3], signs).get('webhook-id')).toBe(webhookId)
  expect(fill(new Load(), [1, 3], signs).get('webhook-id')).not.toBe(webhookId)
})

test("with keys of a retry batch's own it is another one, and the same again in the same retry batch", () => {
  const keyOf = (batch: string) => fill(new Load(), [1, 2, 3], route(true), batch).get('idempotency-key')
  expect(keyOf('rb-1')).toBe(keyOf('rb-1'))
  expect(new Set([keyOf(''), keyOf('rb-1'), keyOf('rb-2')]).size).toBe(3)
})

import { create } from '@bufbuild/protobuf'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { UseCaseSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import type { TraceContext } from '../../runtime/trace-context.ts'
import { compilePlan, type Plan } from './plan.ts'
import { type LaneHeaders, prepareLaneHeaders, RequestHeaders } from './request-headers.ts'

const planWith = (headers: Record<string, string>): Plan =>
  compilePlan(
    create(UseCaseSchema, {
      name: 'namespaces/shop/useCases/orders',
      uid: 'u1',
      spec: { source: { topic: 'orders.v1' }, decode: {}, destination: { url: 'http://localhost/', headers } },
    }),
  )

const laneId = { uid: 'u1', cluster: 'default', topic: 'orders.v1', partition: 3 }
const lane = prepareLaneHeaders(laneId, 1764000000000)
const trace = { traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01', tracestate: 'a=1' }

const valueOfHeader = (headers: readonly string[], name: string): string | undefined => {
  const at = headers.findIndex((text, i) => i % 2 === 0 && text === name)
  return at < 0 ? undefined : headers[at + 1]
}

/** Fills one slot's array with several requests, one after the other; answers what it held each time. */
function filled(
  headers: Record<string, string>,
  requests: readonly (readonly [LaneHeaders, string, number, number, (TraceContext | undefined)?])[],
): string[][] {
  const slot = new RequestHeaders(planWith(headers))
  return requests.map(([of, offset, round, attempt, trace]) => {
    slot.fill(of, offset, round, attempt, trace)
    return [...slot.sent]
  })
}

test('a request names its delivery, its record and its attempt', () => {
  expect(filled({ 'x-zone': 'eu' }, [[lane, '42', 0, 1]])).toEqual([
    [
      ...['idempotency-key', 'u1/default/orders.v1/3/42', 'ferry-record', 'orders.v1/3/42', 'ferry-attempt', '1764000000000.0.1'],
      ...['ferry-use-case', 'shop/orders', 'content-type', 'application/json', 'user-agent', expect.any(String), 'x-zone', 'eu'],
    ],
  ])
})

test("a retry batch's own idempotency key ends with its id, for this request only, and the log has it as well", () => {
  for (const masked of [false, true]) {
    const slot = new RequestHeaders(planWith({}), masked)
    slot.fill(lane, '42', 1, 1, undefined)
    slot.renewKey('rb-1-a')
    const key = 'u1/default/orders.v1/3/42/rb-1-a'
    expect([slot.sent, slot.logged].map((headers) => valueOfHeader(headers, 'idempotency-key'))).toEqual([key, key])
    slot.fill(lane, '43', 0, 1, undefined)
    expect(valueOfHeader(slot.sent, 'idempotency-key')).toBe('u1/default/orders.v1/3/43')
  }
})

test('the idempotency key is the same at every attempt, in every round and epoch; the attempt differs', () => {
  const later = prepareLaneHeaders(laneId, 1764000000001)
  const seen = filled({}, [
    [lane, '42', 0, 1],
    [lane, '42', 0, 2],
    [lane, '42', 1, 1],
    [later, '42', 0, 1],
    [lane, '42', 12, 3],
  ])
  expect(new Set(seen.map((headers) => valueOfHeader(headers, 'idempotency-key'))).size).toBe(1)
  expect(seen.map((headers) => valueOfHeader(headers, 'ferry-attempt'))).toEqual([
    '1764000000000.0.1',
    '1764000000000.0.2',
    '1764000000000.1.1',
    '1764000000001.0.1',
    '1764000000000.12.3',
  ])
})

test('tracing goes along with its record and not with the next one', () => {
  const parentOnly = { ...trace, tracestate: undefined }
  const [both, one, none] = filled({}, [
    [lane, '1', 0, 1, trace],
    [lane, '2', 0, 1, parentOnly],
    [lane, '3', 0, 1],
  ])
  expect(both!.slice(-4)).toEqual(['traceparent', trace.traceparent, 'tracestate', 'a=1'])
  expect(one!.slice(-2)).toEqual(['traceparent', trace.traceparent])
  expect(one).not.toContain('tracestate')
  expect(none).not.toContain('traceparent')
})

test('a reused array holds exactly what a fresh one would, and only its first entries differ between records', () => {
  const request = fc.tuple(
    fc.constant(lane),
    fc.nat().map(String),
    fc.nat({ max: 3 }),
    fc.integer({ min: 1, max: 3 }),
    fc.constantFrom(undefined, trace, { ...trace, tracestate: undefined }),
  )
  fc.assert(
    fc.property(fc.array(request, { maxLength: 20 }), (requests) => {
      const reused = filled({ 'x-zone': 'eu' }, requests)
      expect(reused).toEqual(requests.flatMap((each) => filled({ 'x-zone': 'eu' }, [each])))
      const perRecord = 6
      const { length } = new RequestHeaders(planWith({ 'x-zone': 'eu' })).sent
      const constants = reused.map((each) => each.slice(perRecord, length).join('\n'))
      expect(new Set(constants).size).toBeLessThanOrEqual(1)
    }),
  )
})

test('the log sees what is sent, and credentials masked', () => {
  const slot = new RequestHeaders(planWith({ authorization: 'Bearer s3cret', 'x-zone': 'eu' }))
  slot.fill(lane, '7', 0, 2, trace)
  expect(valueOfHeader(slot.sent, 'authorization')).toBe('Bearer s3cret')
  expect(slot.logged.join(' ')).not.toContain('s3cret')
  expect(slot.logged.map((text, at) => (slot.logged[at - 1] === 'authorization' ? 'Bearer s3cret' : text))).toEqual(slot.sent)
  slot.fill(lane, '8', 0, 1, undefined)
  expect(slot.logged).toHaveLength(slot.sent.length)
})

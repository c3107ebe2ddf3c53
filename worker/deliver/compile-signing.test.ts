import { createHmac } from 'node:crypto'
import { create } from '@bufbuild/protobuf'
import { expect, test } from 'vitest'
import { SigningSchema } from '../../proto/gen/ferry/v1/credentials_pb.ts'
import { UseCaseSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { compileSigning } from './compile-signing.ts'
import { compilePlan } from './plan.ts'
import { prepareLaneHeaders, RequestHeaders } from './request-headers.ts'

const lane = { uid: 'u1', cluster: 'default', topic: 'orders', partition: 3 }
const record = { offset: '42', key: null, value: null, timestamp: '0', headers: {} }
const secret = (byte: number): { bytes: Buffer; value: string } => {
  const bytes = Buffer.alloc(32, byte)
  return { bytes, value: `whsec_${bytes.toString('base64')}` }
}
const [newer, older] = [secret(1), secret(2)]
const signing = (...values: string[]) => create(SigningSchema, { keys: values.map((value) => ({ value })) })

const slot = new RequestHeaders(
  compilePlan(
    create(UseCaseSchema, {
      ...{ name: 'namespaces/shop/useCases/orders', uid: 'u1' },
      spec: { source: { topic: 'orders' }, decode: {}, destination: { url: 'http://localhost/' } },
    }),
  ),
  false,
  true,
)

/** The headers of one attempt, as they are sent and as they are logged. */
function sign(values: string[], nowMs: number, attempt = 1) {
  slot.fill(prepareLaneHeaders(lane, 1), '42', 0, attempt, { traceparent: '00-1', tracestate: undefined })
  const body = Buffer.from('{"ü":1}')
  expect(compileSigning('signing', signing(...values))!(slot, lane, record, body, nowMs)).toBe(body)
  const read = (flat: readonly string[]): Map<string, string> =>
    new Map(flat.flatMap((name, at) => (at % 2 === 0 ? [[name, flat[at + 1]!] as const] : [])))
  return { sent: read(slot.sent), logged: read(slot.logged), body }
}

test('both keys of a rotation sign id, time and body, the first one first; the log shows no signature', () => {
  const { sent, logged, body } = sign([newer.value, older.value], 1_700_000_000_999)
  expect(sent.get('webhook-id')).toBe('msg_u1_3_42')
  expect(sent.get('webhook-timestamp')).toBe('1700000000')
  const expected = [newer, older].map(({ bytes }) =>
    createHmac('sha256', bytes)
      .update(Buffer.concat([Buffer.from('msg_u1_3_42.1700000000.'), body]))
      .digest('base64'),
  )
  expect(sent.get('webhook-signature')).toBe(expected.map((each) => `v1,${each}`).join(' '))
  expect([...logged.keys()]).toEqual([...sent.keys()])
  expect([logged.get('webhook-id'), logged.get('webhook-signature')]).toEqual(['msg_u1_3_42', '***'])
})

test('another attempt has the same id and a time of its own', () => {
  const first = sign([newer.value], 1_700_000_000_000).sent
  const second = sign([newer.value], 1_700_000_007_000, 2).sent
  expect(second.get('webhook-id')).toBe(first.get('webhook-id'))
  expect(second.get('webhook-timestamp')).toBe('1700000007')
  expect(second.get('webhook-signature')).not.toBe(first.get('webhook-signature'))
  expect(second.size).toBe(first.size)
})

test('a use case that does not sign has nothing to be done; a key that was not checked is no crash', () => {
  expect(compileSigning('signing', undefined)).toBeUndefined()
  expect(() => compileSigning('signing', signing('whsec_a'))).toThrow(/signing\.keys\[0\] must .*Update the use case/)
  expect(() => compileSigning('signing', signing())).toThrow(/signing\.keys is empty/)
})

import { create, fromJson } from '@bufbuild/protobuf'
import { expect, test } from 'vitest'
import { Reason } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { PreviewVerdict } from '../../proto/gen/ferry/v1/preview_pb.ts'
import { TransformStepSchema } from '../../proto/gen/ferry/v1/transform_pb.ts'
import { type UseCaseSpec, UseCaseSpecSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { compileRoute } from '../deliver/route.ts'
import { sampleMeans, sampleUseCase } from '../lane/sample-route.ts'
import type { KafkaRecord } from '../source/kafka-record.ts'
import { previewRecord } from './preview-record.ts'

const bytesMax = 50
const record = (value: string | null, over: Partial<KafkaRecord> = {}): KafkaRecord => ({
  ...{ offset: '7', timestamp: '1764000000000', key: Buffer.from('k'), value: value === null ? null : Buffer.from(value) },
  ...{ headers: { a: [Buffer.from('1'), Buffer.from('2')], none: undefined }, ...over },
})

function shown(given: KafkaRecord, over: Partial<UseCaseSpec> = {}) {
  const useCase = sampleUseCase('KEY', 'http://127.0.0.1:9/rows?a=1')
  Object.assign(useCase.spec!, create(UseCaseSpecSchema, { ...useCase.spec!, ...over }))
  const id = { uid: 'u1', cluster: 'default', topic: 't', partition: 3 }
  return previewRecord(given, { route: compileRoute(useCase, sampleMeans), id, nowMs: 1_764_000_000_000, bytesMax })
}

test('a record that would be sent is shown with its request, as it would be', async () => {
  const transform = [fromJson(TransformStepSchema, { drop: { fields: ['b'] } })]
  const { preview, load } = await shown(record('{"a":1,"b":2}'), { transform })
  expect(preview).toMatchObject({
    ...{ partition: 3, offset: 7n, valueBytes: 13n, decoded: '{"a":1,"b":2}', verdict: PreviewVerdict.SEND },
    headers: { a: '2', none: '' },
    request: { method: 'POST', url: 'http://127.0.0.1:9/rows?a=1', body: '{"a":1}', bodyBytes: 7n },
  })
  expect(preview.request!.headers).toMatchObject({
    ...{ 'idempotency-key': 'u1/default/t/3/7', 'ferry-record': 't/3/7', 'ferry-use-case': 'demo/one' },
    'content-type': 'application/json',
  })
  expect(load!.body.toString()).toBe('{"a":1}')
})

test('what is long is cut, and its length is said', async () => {
  const value = JSON.stringify('x'.repeat(1000))
  const { preview } = await shown(record(value))
  expect([preview.value.length, preview.decoded.length, preview.request!.body.length]).toEqual([bytesMax, bytesMax, bytesMax])
  expect([preview.valueBytes, preview.request!.bodyBytes]).toEqual([1002n, 1002n])
})

test.each([
  ['no JSON', {}, PreviewVerdict.FAIL, Reason.DECODE_FAILED, 'expected a value at byte 0'],
  ['{"a":1}', { filter: 'value.a > 1' }, PreviewVerdict.SKIP, Reason.FILTERED, ''],
  ['{"a":1}', { filter: 'value.b > 1' }, PreviewVerdict.FAIL, Reason.FILTER_FAILED, 'field not found: b'],
  [
    '{"a":1}',
    { transform: [fromJson(TransformStepSchema, { move: { fields: { b: 'c' }, required: true } })] },
    ...[PreviewVerdict.FAIL, Reason.TRANSFORM_FAILED, 'there is no field b'],
  ],
  [null, {}, PreviewVerdict.SKIP, Reason.TOMBSTONE, ''],
] as [string | null, Partial<UseCaseSpec>, PreviewVerdict, Reason, string][])(
  '%j by %j is not sent, and it is said why',
  async (value, over, verdict, reason, error) => {
    const { preview, load } = await shown(record(value), over)
    expect(preview).toMatchObject({ verdict, reason, error: expect.stringContaining(error) })
    expect([preview.request, load]).toEqual([undefined, undefined])
  },
)

import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { durationFromMs } from '@bufbuild/protobuf/wkt'
import { expect, test } from 'vitest'
import { BatchFormat, BatchItem, type BatchingSchema } from '../../proto/gen/ferry/v1/batching_pb.ts'
import { UseCaseSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { compilePlan } from './plan.ts'

const compile = (batch: MessageInitShape<typeof BatchingSchema>, headers: Record<string, string> = {}) =>
  compilePlan(
    create(UseCaseSchema, {
      ...{ name: 'namespaces/shop/useCases/orders', uid: 'u1' },
      spec: { source: { topic: 'orders' }, decode: {}, destination: { url: 'http://localhost/', headers, batch } },
    }),
  )
const contentTypeOf = ({ headers }: { headers: readonly string[] }) => headers[headers.indexOf('content-type') + 1]

test('a batch that says nothing has the defaults of the contract', () => {
  const plan = compile({})
  expect(plan.batch).toEqual({ recordsMax: 100, bytesMax: 1 << 20, waitMs: 100, isNdjson: false, hasEnvelope: false })
  expect(contentTypeOf(plan)).toBe('application/json')
})

test('everything that is asked for is carried out', () => {
  const asked = {
    maxRecords: 7,
    maxBytes: 2000,
    maxWait: durationFromMs(0),
    format: BatchFormat.NDJSON,
    item: BatchItem.ENVELOPE,
  }
  const plan = compile(asked)
  expect(plan.batch).toEqual({ recordsMax: 7, bytesMax: 2000, waitMs: 0, isNdjson: true, hasEnvelope: true })
  expect(contentTypeOf(plan)).toBe('application/x-ndjson')
})

test('a content type of the use case stands above that of the format', () => {
  const { headers } = compile({ format: BatchFormat.NDJSON }, { 'Content-Type': 'application/jsonl' })
  expect(headers.filter((text) => /json/.test(text))).toEqual(['application/jsonl'])
})

test('a format that this worker does not know is refused', () => {
  expect(() => compile({ format: 9 as BatchFormat })).toThrow('spec.destination.batch.format')
  expect(() => compile({ item: 9 as BatchItem })).toThrow('spec.destination.batch.item')
})

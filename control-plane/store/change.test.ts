import { clone, equals } from '@bufbuild/protobuf'
import { expect, test } from 'vitest'
import { UseCaseSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { sampleSpec } from '../use-cases/sample-use-case.ts'
import { newUseCase } from '../use-cases/use-case-state.ts'
import { changeRow, descriptorSetOf, isPartlyRead, readUseCase, writeUseCase } from './change.ts'

const useCase = newUseCase(
  'namespaces/team/useCases/orders',
  'a'.repeat(20),
  sampleSpec({
    source: { topic: 'orders', start: { case: 'offsets', value: { offsets: { 0: 9_007_199_254_740_993n } } } },
    retry: { maxRetries: 0, jitterRatio: 0 },
    delivery: { parkedBytesMax: 0n },
  }),
  1_700_000_000_123,
)

test('a definition is read as it was written, with zeros that were asked for and numbers above 2^53', () => {
  const read = readUseCase(writeUseCase(useCase))
  expect(equals(UseCaseSchema, read, useCase)).toBe(true)
  expect(isPartlyRead(read)).toBe(false)
})

test('a definition of a newer control plane is read, and known not to be whole', () => {
  const text = writeUseCase(useCase).replace('"spec":{', '"spec":{"fromTheFuture":{"x":1},')
  const read = readUseCase(text)
  expect(equals(UseCaseSchema, read, useCase)).toBe(true)
  expect(isPartlyRead(read)).toBe(true)
})

test('a row of the audit names the use case by namespace and id, with both definitions', () => {
  const after = clone(UseCaseSchema, useCase)
  after.revision = 2n
  const change = { action: 'UPDATE', actor: 'a', reason: 'r', timeMs: 5, before: useCase, after } as const
  expect(changeRow(change)).toEqual({
    ...{ change_time: 5, actor: 'a', action: 'UPDATE', reason: 'r', namespace: 'team', use_case: 'orders' },
    ...{ uid: useCase.uid, revision: '2', before: writeUseCase(useCase), after: writeUseCase(after) },
  })
  expect(changeRow({ ...change, after: undefined })).toMatchObject({ revision: '1', after: '' })
})

test('a definition without a descriptor set names none', () => {
  expect(descriptorSetOf(useCase)).toBeUndefined()
})

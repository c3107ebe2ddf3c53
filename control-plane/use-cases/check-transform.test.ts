import { create, fromJson } from '@bufbuild/protobuf'
import { expect, test } from 'vitest'
import { type TransformStep, TransformStepSchema } from '../../proto/gen/ferry/v1/transform_pb.ts'
import { UseCaseSpecSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { checkTransform, checkTransformedBatches } from './check-transform.ts'

const read = (...steps: Parameters<typeof fromJson>[1][]): TransformStep[] =>
  steps.map((step) => fromJson(TransformStepSchema, step))

test('no step, and steps that can be compiled, are right', () => {
  expect(checkTransform([])).toEqual([])
  expect(checkTransform(read({ move: { fields: { a: 'b' } } }, { drop: { fields: ['c[].d'] } }))).toEqual([])
})

test('everything that is wrong with a transform is said at once, with the step and the field', () => {
  const steps = read(
    { drop: { fields: ['a'] } },
    { move: { fields: { 'a..b': 'c', d: 'd' } } },
    { set: { field: 'x', json: 'EUR' } },
  )
  const violations = checkTransform(steps)
  expect(violations.map(({ field, reason }) => [field, reason])).toEqual([
    ['use_case.spec.transform[1].move.fields["a..b"]', 'TRANSFORM_INVALID'],
    ['use_case.spec.transform[1].move.fields["d"]', 'TRANSFORM_INVALID'],
    ['use_case.spec.transform[2].set.json', 'TRANSFORM_INVALID'],
  ])
  expect(violations.map(({ description }) => description)).toEqual([
    'the key of use_case.spec.transform[1].move.fields["a..b"] must be the path of a field, such as customer.name or items[].sku; given "a..b": at character 3 there must be a name, and there is "."',
    'use_case.spec.transform[1].move.fields["d"] must be another path than "d" itself',
    expect.stringContaining('must be one JSON value (a text is better given as set.text); given "EUR": '),
  ])
})

test('a transform that is too long is not even looked at', () => {
  const steps = Array.from({ length: 10 }, () => ({ set: { field: 'a..b', text: 'x'.repeat(7000) } }))
  expect(checkTransform(read(...steps))).toEqual([
    {
      field: 'use_case.spec.transform',
      description: expect.stringMatching(/at most 65536 bytes in all its steps together; given 70\d\d\d$/),
      reason: 'TRANSFORM_INVALID',
    },
  ])
})

test('batches cannot be combined with JSONata, and it is said what can', () => {
  const spec = create(UseCaseSpecSchema, { transform: read({ drop: { fields: ['a'] } }), destination: { batch: {} } })
  expect(checkTransformedBatches(spec)).toEqual([])
  spec.transform.push(...read({ jsonata: { expression: '$' } }))
  expect(checkTransformedBatches(spec)).toEqual([
    {
      field: 'use_case.spec.destination.batch',
      description: expect.stringContaining('with a jsonata step, such as use_case.spec.transform[1]'),
      reason: 'TRANSFORM_INVALID',
    },
  ])
})

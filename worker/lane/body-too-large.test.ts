import { create } from '@bufbuild/protobuf'
import { expect, test } from 'vitest'
import { Outcome, Reason } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { TransformStepSchema } from '../../proto/gen/ferry/v1/transform_pb.ts'
import { DecodeSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { compileRoute, type Route } from '../deliver/route.ts'
import { KnownEnds } from './known-ends.ts'
import { Lane } from './lane.ts'
import { Load } from './load.ts'
import { Parking } from './parking.ts'
import { sampleMeans, sampleUseCase } from './sample-route.ts'

interface Row {
  readonly outcome: number
  readonly reason: number
  readonly error: string
  readonly packed: Buffer
}

/** The row of a record that is not sent; undefined for one that is. */
function rowOf(route: Route, value: Buffer): Row | undefined {
  let logged: Row | undefined
  const limits = { parkedMax: 10, parkedBytesMax: 1000, creditMax: 10, bufferBytesMax: 1 << 20 }
  const start = { cursor: 0, parking: new Parking(), known: new KnownEnds([], new Map(), false), credit: 0 }
  const lane = new Lane({ uid: 'u1', cluster: 'default', topic: 't', partition: 0 }, 1, route, limits, start, {
    attempts: {
      add: (_encoded, row) => {
        logged = { ...row }
      },
    },
    ranges: { add: () => {} },
    ...{ instance: 'i', nextRequestId: () => 1, windowRecords: 16 },
  })
  const record = { offset: '0', timestamp: '0', headers: {}, key: null, value }
  lane.feed([{ hole: undefined, records: [record], fetched: { bytes: value.length, held: 0 } }], 1)
  const load = new Load()
  expect(lane.takeFresh(load)).toBe(true)
  return lane.decode(load, 1) ? undefined : logged
}

function routeOf(bodyBytesMax: bigint, format: 'json' | 'bytes' = 'json', transform = false): Route {
  const useCase = sampleUseCase('UNORDERED')
  useCase.spec!.decode = create(DecodeSchema, { format: { case: format, value: {} }, bodyBytesMax })
  const step = { case: 'move', value: { fields: { a: 'a_longer_name' } } } as const
  if (transform) useCase.spec!.transform = [create(TransformStepSchema, { step })]
  return compileRoute(useCase, sampleMeans)
}

test('a body of as many bytes as may be is sent; one more ends FAILED with the numbers, and the bytes are kept', () => {
  expect(rowOf(routeOf(10n), Buffer.from('"12345678"'))).toBeUndefined()
  const row = rowOf(routeOf(9n), Buffer.from('"12345678"'))!
  expect(row).toMatchObject({ outcome: Outcome.FAILED, reason: Reason.BODY_TOO_LARGE })
  expect(row.error).toBe('the value has 10 bytes, at most 9 are allowed')
  expect(row.packed.includes('"12345678"')).toBe(true)
})

test('it is the body that counts, not the value: base64 is longer', () => {
  expect(rowOf(routeOf(14n, 'bytes'), Buffer.alloc(9))).toBeUndefined()
  expect(rowOf(routeOf(13n, 'bytes'), Buffer.alloc(9))).toMatchObject({ reason: Reason.BODY_TOO_LARGE })
})

test('what a transform makes counts as well', () => {
  expect(rowOf(routeOf(19n, 'json', true), Buffer.from('{"a":1}'))).toBeUndefined()
  const row = rowOf(routeOf(18n, 'json', true), Buffer.from('{"a":1}'))
  expect(row).toMatchObject({ reason: Reason.BODY_TOO_LARGE })
  expect(row!.error).toBe('the transform makes a body of 19 bytes, at most 18 are allowed')
})

test('of a record of more than 4 MiB no bytes are kept in the log', () => {
  const row = rowOf(routeOf(1n), Buffer.alloc((4 << 20) + 1, '1'))
  expect(row).toMatchObject({ outcome: Outcome.FAILED, reason: Reason.BODY_TOO_LARGE, packed: Buffer.alloc(0) })
})

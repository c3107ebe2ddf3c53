import { Code, ConnectError } from '@connectrpc/connect'
import { expect, test } from 'vitest'
import { BadRequestSchema, ErrorInfoSchema } from '../../proto/gen/google/rpc/error_details_pb.ts'
import { ferryError, reasonOf, withReason } from './errors.ts'

test('an error carries its reason in the domain ferry', () => {
  const error = ferryError(Code.NotFound, 'USE_CASE_NOT_FOUND', 'no such use case', { name: 'x' })
  expect(error.findDetails(ErrorInfoSchema)).toMatchObject([
    { reason: 'USE_CASE_NOT_FOUND', domain: 'ferry', metadata: { name: 'x' } },
  ])
  expect(error.findDetails(BadRequestSchema)).toEqual([])
})

test('more violations than fit into a trailer are cut, and the error says how many are left out', () => {
  const violations = Array.from({ length: 200 }, (_, index) => ({
    field: `f[${index}]`,
    description: 'must be something else'.padEnd(100),
  }))
  const error = ferryError(Code.InvalidArgument, 'INVALID_REQUEST', 'wrong', {}, violations)
  const told = error.findDetails(BadRequestSchema)[0]?.fieldViolations ?? []
  expect(told.length).toBeGreaterThan(20)
  expect(error.findDetails(ErrorInfoSchema)[0]?.metadata).toEqual({ violationsLeftOut: String(200 - told.length) })
})

test('a ConnectError without a reason gets the one of its code, and keeps its other details and metadata', () => {
  const named = withReason(new ConnectError('go away', Code.Unauthenticated, { 'www-authenticate': 'Bearer' }))
  expect(reasonOf(named)).toBe('UNAUTHENTICATED')
  expect(named.metadata.get('www-authenticate')).toBe('Bearer')
})

test('a reason that is there stays', () => {
  const error = ferryError(Code.Unavailable, 'NO_LEADER', 'nobody leads')
  expect(withReason(error)).toBe(error)
})

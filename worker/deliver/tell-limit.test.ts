import { expect, test } from 'vitest'
import type { AdaptiveLimit, EndpointLoad } from './adaptive-limit.ts'
import { tellLimit } from './tell-limit.ts'

test.each([
  [200, undefined, false, 'FINE'],
  [422, undefined, false, 'FINE'],
  [500, undefined, false, 'FINE'],
  [429, undefined, false, 'OVERLOAD'],
  [502, undefined, false, 'OVERLOAD'],
  [503, undefined, false, 'OVERLOAD'],
  [504, undefined, false, 'OVERLOAD'],
  [0, undefined, false, 'OVERLOAD'],
  [0, 'TIMEOUT' as const, false, 'OVERLOAD'],
  [0, 'ABORTED' as const, false, 'NOTHING'],
  [0, undefined, true, 'NOTHING'],
] as const)('status %d, cut %s, blocked %s says %s', (status, cut, isBlocked, expected) => {
  const told: EndpointLoad[] = []
  const limit = { limit: 3, answered: (load: EndpointLoad) => told.push(load) } as unknown as AdaptiveLimit
  expect(tellLimit(limit, { status, cut, sentAt: 1, endedAt: 2 }, isBlocked, 3)).toBe(false)
  expect(told).toEqual([expected])
})

test('a limit that has grown is told', () => {
  const limit = { limit: 3, answered: () => Object.assign(limit, { limit: 4 }) } as unknown as AdaptiveLimit & { limit: number }
  expect(tellLimit(limit, { status: 200, cut: undefined, sentAt: 1, endedAt: 2 }, false, 3)).toBe(true)
})

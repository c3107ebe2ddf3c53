import { expect, test } from 'vitest'
import { SharedLimit } from './shared-limit.ts'

/** Requests one after the other, each the last of as many as may be on the way. */
function send(limit: SharedLimit<string>, sender: string, count: number, latencyMs: number, fromMs: number): number {
  let now = fromMs
  for (let i = 0; i < count; i++) {
    limit.started(sender, limit.limit, now)
    now += latencyMs
    limit.answered(sender, { status: 200, cut: undefined, sentAt: now - latencyMs, endedAt: now }, false, now)
  }
  return now
}

test('is measured by whoever sends most, and goes on where it was when that changes', () => {
  const limit = new SharedLimit<string>(100_000)
  let now = send(limit, 'live', 400, 5, 0)
  const found = limit.limit
  expect(found).toBeGreaterThan(20)
  // A hundred times as slow: no sign of a queue.
  now = send(limit, 'backfill', 60, 500, now)
  expect(limit.limit).toBe(found)
  now = send(limit, 'backfill', 400, 500, now)
  expect(limit.limit).toBeGreaterThan(found)
  // From now on BACKFILL is measured, and of LIVE nothing counts.
  const before = limit.limit
  send(limit, 'live', 60, 800, now)
  expect(limit.limit).toBe(before)
})

test('keeps to its share, and forgets whoever has gone', () => {
  const limit = new SharedLimit<string>(100_000)
  const now = send(limit, 'live', 400, 5, 0)
  limit.max = 7
  expect(limit.limit).toBe(7)
  limit.forget('live')
  expect(limit.limit).toBe(7)
  send(limit, 'backfill', 100, 500, now)
  expect(limit.limit).toBe(7)
})

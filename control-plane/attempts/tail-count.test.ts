import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { TailCount } from './tail-count.ts'

test('every row that becomes visible late within a minute is found once', () => {
  const row = fc.record({ atMs: fc.integer({ min: 1, max: 120_000 }), lateMs: fc.integer({ min: 0, max: 60_000 }) })
  fc.assert(
    fc.property(fc.array(row), fc.integer({ min: 100, max: 15_000 }), (rows, stepMs) => {
      const count = new TailCount()
      const seenAt = (nowMs: number, afterMs: number, toMs: number): number =>
        rows.filter(({ atMs, lateMs }) => atMs > afterMs && atMs <= toMs && atMs + lateMs <= nowMs).length
      let told = 0
      for (let toMs = stepMs; toMs <= 240_000; toMs += stepMs) {
        const window = { afterMs: toMs - stepMs, toMs, total: seenAt(toMs, toMs - stepMs, toMs) }
        told += window.total
        const again = count.add(window)
        if (again) told += seenAt(toMs, again.afterMs, again.toMs) - again.total
      }
      expect(told).toBe(rows.length)
    }),
  )
})

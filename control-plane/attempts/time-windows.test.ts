import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { timeWindows } from './time-windows.ts'

const time = fc.integer({ min: 0, max: 2 ** 41 })

test('the windows cover the time without a gap and without a second look, newest first', () => {
  fc.assert(
    fc.property(time, time, time, (fromMs, toMs, nowMs) => {
      const windows = timeWindows({ fromMs, toMs }, nowMs)
      expect(windows.length > 0).toBe(fromMs < toMs)
      if (windows.length === 0) return
      expect(windows[0]!.toMs).toBe(toMs)
      expect(windows.at(-1)!.fromMs).toBe(fromMs)
      for (const [index, window] of windows.entries()) {
        expect(window.fromMs).toBeLessThan(window.toMs)
        if (index > 0) expect(window.toMs).toBe(windows[index - 1]!.fromMs)
      }
    }),
  )
})

test('a year is looked through in few windows', () => {
  expect(timeWindows({ fromMs: 0, toMs: 366 * 86_400_000 }, 365 * 86_400_000).length).toBeLessThanOrEqual(6)
})

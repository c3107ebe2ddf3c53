import { expect, test } from 'vitest'
import { progressLine } from './progress-line.ts'

const progress = { rows: 125_000, rowsTotal: 250_000, rowsPerSecond: 6_250, parked: 1_234, failed: 98 }

test('a line says rows, rate, parked, failed and when it will be done', () => {
  expect(progressLine(progress, 120)).toBe(
    '━━━━━━━━━━━━┄┄┄┄┄┄┄┄┄┄┄┄  125,000 / 250,000 rows   6,250 rows/s  parked  1,234  failed    98  ETA  0:20',
  )
})

test('a narrow terminal gets the figures without the bar, and an ordinary one of 80 columns has room for them', () => {
  const line = progressLine(progress, 77)
  expect(line).toBe('125,000 / 250,000 rows   6,250 rows/s  parked  1,234  failed    98  ETA  0:20')
})

test('without a rate there is no guess at the time, and what has failed is not waited for', () => {
  expect(progressLine({ ...progress, rowsPerSecond: 0 }, 120)).toMatch(/ETA {5}–$/)
  expect(progressLine({ ...progress, rows: 249_902, rowsPerSecond: 0 }, 120)).toMatch(/ETA {2}0:00$/)
})

test('every line of a run is equally long', () => {
  const lengths = [0, 999, 250_000].map((rows) => progressLine({ ...progress, rows }, 120).length)
  expect(new Set(lengths).size).toBe(1)
})

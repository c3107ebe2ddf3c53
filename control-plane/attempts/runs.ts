// Arithmetic on sets of offsets. A set is a list of runs: rising, and with a gap between each two, so that equal sets are equal
// lists. Every function but `toRuns` takes and gives such lists, in one pass.

import type { Run } from '../../runtime/lane-keys.ts'

/** Makes a set of runs in any order that may overlap or touch. A run that ends before it begins is empty. */
export function toRuns(runs: Iterable<Run>): Run[] {
  const rising = [...runs].filter((run) => run.first <= run.last).sort((a, b) => a.first - b.first)
  const set: { first: number; last: number }[] = []
  for (const { first, last } of rising) {
    const before = set.at(-1)
    if (before === undefined || first > before.last + 1) set.push({ first, last })
    else if (last > before.last) before.last = last
  }
  return set
}

/** What is in `a` and not in `b`. */
export function subtract(a: readonly Run[], b: readonly Run[]): Run[] {
  const rest: Run[] = []
  let index = 0
  for (const { first, last } of a) {
    let from = first
    while (index < b.length && b[index]!.last < from) index++
    for (let at = index; at < b.length && b[at]!.first <= last; at++) {
      const hole = b[at]!
      if (hole.first > from) rest.push({ first: from, last: hole.first - 1 })
      from = hole.last + 1
    }
    if (from <= last) rest.push({ first: from, last })
  }
  return rest
}

/** What is in `runs` from `from` to below `to`. */
export function clip(runs: readonly Run[], from: number, to: number): Run[] {
  const clipped: Run[] = []
  for (const { first, last } of runs) {
    const run = { first: Math.max(first, from), last: Math.min(last, to - 1) }
    if (run.first <= run.last) clipped.push(run)
  }
  return clipped
}

export const countOffsets = (runs: readonly Run[]): number => runs.reduce((sum, { first, last }) => sum + last - first + 1, 0)

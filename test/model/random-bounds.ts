import type { Random } from '../chaos/random.ts'
import { type Bounds, bounds, type Fault, faults } from './bounds.ts'

/** Those that happen with every safeguard on. */
const possible = faults.filter((fault) => fault !== 'takeWithoutExpel' && fault !== 'unexpel')

/** A scenario of two or three faults that nobody has thought of. */
export function randomBounds(random: Random): Bounds {
  const hasBatch = random.int(1, 3) === 1
  const credit = hasBatch ? 100 : random.pick([100, 100, 10, 0])
  const drawn: Partial<Record<Fault, number>> = {}
  for (let left = random.int(2, 3); left > 0; left--) {
    const fault = random.pick(possible)
    drawn[fault] = Math.min(2, (drawn[fault] ?? 0) + 1)
  }
  return bounds({
    ...drawn,
    // Rows expire only after a time.
    ...(drawn.expire === undefined ? {} : { tick: 1 }),
    ...{ keys: random.pick(['A', 'A', 'AA', 'AB']), ordering: random.pick(['KEY', 'UNORDERED'] as const) },
    ...{ workers: random.int(1, 2), inserts: random.int(1, 2), rollbackDepth: random.int(1, 3) },
    ...{ entriesMax: random.pick([100, 100, 100, 1]), tracksIds: random.pick([true, false]) },
    ...{ creditMax: credit, attemptsMax: credit === 100 ? 2 : 1, batches: hasBatch ? 1 : 0 },
    groupCommits: random.pick([true, false]),
    replies: hasBatch ? [['BAD']] : random.pick<Bounds['replies']>([[], [['BUSY', 'OK']], [['BAD']], [['BUSY', 'BAD'], ['OK']]]),
  })
}

/** What differs from nothing, in short. */
export function describe(b: Bounds): string {
  const { keys, ordering, workers, inserts, entriesMax, creditMax, batches, groupCommits, rollbackDepth, replies } = b
  const happening = faults.filter((fault) => b[fault] > 0).map((fault) => (b[fault] > 1 ? `${b[fault]} ${fault}` : fault))
  const words = { ordering, workers, inserts, entriesMax, creditMax, batches, groupCommits, rollbackDepth, replies }
  return `${keys}: ${happening.join(', ')} ${JSON.stringify(words)}`
}

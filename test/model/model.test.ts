import { describe, expect, test } from 'vitest'
import { explore } from './explore.ts'
import { LaneSystem } from './lane-system.ts'
import { mutations } from './mutations.ts'
import { safeguards, without } from './safeguards.ts'
import { scenarios } from './scenarios.ts'

// The small scenarios to their end, and the safeguards whose want is seen soon: `npm run model` explores all of them, for longer.

const limits = { statesMax: 1_000_000, timeMsMax: 50_000 }

const short = [
  'planned move, heartbeats lost',
  'a crash, one record',
  'a rollback, one record',
  'a flush, one record',
  'a request that hangs',
  'the leader dies',
  'the spool, a move',
  'the spool, a batch',
  'a batch, two coordinators',
]

describe('every interleaving of one lane', () => {
  test.each(short)('%s: nothing is lost, stuck, repeated or out of order', (name) => {
    const { violation, trace, isComplete } = explore(new LaneSystem(scenarios[name]!, safeguards), limits)
    expect([violation, ...trace]).toEqual([''])
    expect(isComplete).toBe(true)
  })
})

describe('without a safeguard something is found', () => {
  const soon = mutations.filter(({ finds, isSlow }) => finds !== undefined && !isSlow)
  test.each(soon)('$name', ({ off, in: bounds, finds }) => {
    const { violation } = explore(new LaneSystem(bounds, without(...off)), limits)
    expect(violation).toMatch(new RegExp(`^${finds}: `))
  })
})

test('a safeguard whose want is not seen is listed with the reason', () => {
  for (const { finds, why, name } of mutations) expect([name, finds === undefined], name).toEqual([name, why !== undefined])
})

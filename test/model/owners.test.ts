import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { bounds } from './bounds.ts'
import { laneSettingOf } from './lane-setting.ts'
import type { LaneEvent } from './owner-lane.ts'
import { Owners } from './owners.ts'
import { safeguards } from './safeguards.ts'

const base = { cursor: 0, ended: [], parked: new Map(), savedMs: 0, writer: 0, credit: undefined, clean: false }

/** What may happen to an owner with this memory. */
function eventsOf(owners: Owners, node: number): LaneEvent[] {
  const { flights, rowsOut, hasTaken, cursor } = owners.view(node)
  const events: LaneEvent[] = [['FRESH'], ['RETRY'], ['PROVE'], ['ABORT']]
  for (const { offset, isFresh } of flights) {
    for (const reply of ['OK', 'BUSY', 'BAD'] as const) events.push(['ANSWER', offset, reply])
    if (isFresh) events.push(['LET_PASS', offset])
  }
  if (rowsOut > 0) events.push(['ACKNOWLEDGED', 0, 1])
  // One checkpoint at a time.
  events.push(owners.replay(node).pending === undefined ? ['DRAFT', false] : ['ACCEPTED'])
  if (!hasTaken && cursor > 0) events.push(['INBOX', [[0, [{ batch: 'b1', round: 0, stale: false }], 0, false]]])
  return events
}

describe.each([
  ['UNORDERED', 100],
  ['KEY', 100],
  ['KEY', 1],
] as const)('memories of owners, %s, %i entries a checkpoint', (ordering, entriesMax) => {
  test('that have the same number do the same, whatever came before', () => {
    const owners = new Owners(laneSettingOf(bounds({ keys: 'AA', ordering, entriesMax, creditMax: 10 }), safeguards))
    const first = owners.step(owners.start(base, undefined), ['FEED', 0, 2], 1).node
    fc.assert(
      fc.property(fc.array(fc.nat(), { minLength: 5, maxLength: 40 }), (picks) => {
        const past: LaneEvent[] = []
        let node = first
        for (const pick of picks) {
          const events = eventsOf(owners, node)
          const event = events[pick % events.length]!
          const expected = owners.step(node, event, 1)
          // The way that this number was first reached by, and the way that was gone here.
          const lived = owners.replayFrom(first, past, 1)
          const effect = lived.apply(event, 1)
          expect(effect).toEqual(expected.effect)
          past.push(event)
          expect(owners.numberOf(lived, first)).toBe(expected.node)
          node = expected.node
        }
      }),
      { numRuns: 150 },
    )
  })
})

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Plan } from '../deliver/plan.ts'
import type { Reply, World } from './lane-driver.ts'
import { LaneRun, type Step } from './lane-run.ts'
import { WorldKafka } from './lane-world.ts'
import { WorldSchemas } from './world-schemas.ts'

// One lane under any schedule: records of few keys, some of which a filter leaves out, any answers, inserts that land in any order, checkpoints whose replies are
// lost, crashes, moves, requests that hang, batches of which some records fail, schemas that come late, limits that are met. Checked after every step: nothing is lost. Checked at the end:
// everything has ended, nothing is left anywhere, and the last word of each key is its newest record.

const step: fc.Arbitrary<Step> = fc.record({
  pick: fc.nat(),
  n: fc.nat({ max: 7 }),
  reply: fc.constantFrom<Reply>('OK', 'OK', 'OK', 'SOME', 'BUSY', 'BUSY', 'BAD', 'TIMEOUT', 'ABORTED'),
  isRetryFirst: fc.boolean(),
  logIsAway: fc.constantFrom(false, false, false, true),
  arrives: fc.nat({ max: 3 }),
})

const topic = fc
  .array(
    fc.record({
      gap: fc.constantFrom(0, 0, 0, 0, 2),
      key: fc.constantFrom('a', 'a', 'b', 'c', undefined),
      isTombstone: fc.constantFrom(false, false, false, false, false, false, true),
      isFiltered: fc.constantFrom(false, false, false, true),
    }),
    { minLength: 5, maxLength: 40 },
  )
  .map((specs) => {
    let offset = 0
    const records = specs.map(({ gap, key, isTombstone, isFiltered }) => {
      offset += gap
      return { offset: offset++, key, isTombstone, isFiltered }
    })
    return new WorldKafka(records, offset + (specs.length % 3))
  })

const limits = fc.record({
  parkedMax: fc.constantFrom(1, 3, 1000),
  parkedBytesMax: fc.constantFrom(0, 60, 100_000),
  creditMax: fc.constantFrom(0, 12, 100),
  bufferBytesMax: fc.constantFrom(15, 100_000),
})

async function play(
  kafka: WorldKafka,
  ordering: Plan['ordering'],
  lane: World['limits'],
  steps: readonly Step[],
  mayBreak: boolean,
  batches: boolean,
  schemas: boolean,
): Promise<Map<number, number>> {
  const run = new LaneRun(kafka, ordering, lane, mayBreak, batches, schemas ? new WorldSchemas() : undefined)
  await run.start()
  for (const each of steps) {
    await run.take(each)
    run.check()
  }
  return run.finish()
}

const runs = 400

const orders = ['UNORDERED', 'KEY', 'PARTITION'] as const
const cases = orders.flatMap((ordering) => [
  { ordering, batches: false, schemas: false, what: 'with a request for each record' },
  { ordering, batches: true, schemas: false, what: 'with batches' },
  { ordering, batches: false, schemas: true, what: 'with schemas that are not known yet' },
  { ordering, batches: true, schemas: true, what: 'with batches, and schemas that are not known yet' },
])

describe.each(cases)('a lane in order $ordering, $what', ({ ordering, batches, schemas }) => {
  test('loses nothing, repeats nothing that it knows, and is never stuck', async () => {
    await fc.assert(
      fc.asyncProperty(topic, limits, fc.array(step, { minLength: 30, maxLength: 150 }), async (kafka, lane, steps) => {
        await play(kafka, ordering, lane, steps, true, batches, schemas)
      }),
      { numRuns: schemas ? runs / 2 : runs },
    )
  })

  test('without a crash sends each record once', async () => {
    const calm = step.map((each) => ({ ...each, reply: 'OK' as const }))
    await fc.assert(
      fc.asyncProperty(topic, limits, fc.array(calm, { minLength: 20, maxLength: 120 }), async (kafka, lane, steps) => {
        const times = await play(kafka, ordering, lane, steps, false, batches, schemas)
        const expected = kafka.records.filter((each) => !each.isTombstone && !each.isFiltered).map((each) => [each.offset, 1])
        expect([...times].sort(([a], [b]) => a - b)).toEqual(expected)
      }),
      { numRuns: 100 },
    )
  })
})

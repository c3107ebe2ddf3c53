import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Outcome } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { lookUp } from '../../worker/lane/look-up.ts'
import { encodeAttempt, encodeLane, rowBytesMax } from '../../worker/record/encode-attempt.ts'
import { createInsert } from '../../worker/record/log-insert.ts'
import { attemptInserts } from '../../worker/record/log-table.ts'
import type { FastBuffer } from '../../worker/record/row-binary.ts'
import { createSampleLog, type SampleLog, sampleAttempt, sampleLane } from '../../worker/record/sample-log.ts'
import { sharedStack } from '../stack.ts'
import { msOf, type Row } from './state.ts'
import { ask } from './take-over.ts'

let log: SampleLog
beforeAll(async () => {
  log = await createSampleLog((await sharedStack()).clickhouseUrl)
})
afterAll(() => log?.close())

/** The model's times begin at 1. */
const startMs = sampleAttempt().sentMs

const row: fc.Arbitrary<Row> = fc.tuple(
  ...[fc.nat({ max: 4 }), fc.nat({ max: 2 }), fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 3 })],
  fc.constantFrom(Outcome.RETRY, Outcome.RETRY, Outcome.DELIVERED, Outcome.FAILED),
  fc.nat({ max: 2 }),
) as fc.Arbitrary<Row>
const given = fc.record({
  ...{ fromOffset: fc.nat({ max: 5 }), parked: fc.uniqueArray(fc.nat({ max: 4 }), { maxLength: 3 }) },
  ...{ since: fc.nat({ max: 2 }), fromEpoch: fc.nat({ max: 4 }) },
})

async function write(uid: string, rows: readonly Row[]): Promise<void> {
  const encoded = rows.map(([offset, round, epoch, attempt, outcome, era]) => {
    const lane = encodeLane({ ...sampleLane, uid, epoch })
    const attempted = sampleAttempt({ offset, round, attempt, outcome, sentMs: startMs + msOf(era) })
    const out = Buffer.alloc(rowBytesMax(lane, attempted)) as FastBuffer
    return out.subarray(0, encodeAttempt(out, 0, lane, attempted))
  })
  await createInsert(log.clickhouse, 5000)(attemptInserts, Buffer.concat(encoded), uid)
}

test('a look-up answers what the model says, whatever the log holds', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(row, { minLength: 1, maxLength: 15 }),
      fc.array(given, { minLength: 4, maxLength: 4 }),
      async (rows, asked) => {
        const { cluster, topic, partition } = sampleLane
        const id = { uid: crypto.randomUUID(), cluster, topic, partition }
        await write(id.uid, rows)
        for (const { since, ...rest } of asked) {
          const sinceMs = msOf(since)
          const said = ask(rows, { id, ...rest, sinceMs })
          const real = await lookUp(log.clickhouse, { id, ...rest, sinceMs: startMs + sinceMs }, 5000)
          expect([new Map(real.ended), new Map(real.attempts)]).toEqual([new Map(said.ended), new Map(said.attempts)])
        }
      },
    ),
    { numRuns: 8 },
  )
})

import { create } from '@bufbuild/protobuf'
import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { RetryFilterSchema } from '../../proto/gen/ferry/v1/retry_batch_pb.ts'
import { decidingRow } from '../attempts/outcome-rule.ts'
import { newSubject, openTestLog, type TestLog } from '../attempts/test-log.ts'
import { selectionSql } from './selection.ts'

let log: TestLog
beforeAll(async () => {
  log = await openTestLog()
})
afterAll(() => log.close())

const asOfMs = 1_790_000_000_000

/** Few values of each, so that everything meets everything. */
const row = fc.record({
  round: fc.nat(2),
  epoch: fc.constantFrom(1, 2),
  attempt: fc.nat(2),
  outcome: fc.constantFrom('DELIVERED', 'FAILED', 'FAILED', 'FAILED', 'SKIPPED', 'SUPERSEDED'),
  status: fc.constantFrom(400, 500),
  sentMs: fc.constantFrom(asOfMs - 1000, asOfMs, asOfMs + 1, asOfMs + 1000),
  batch: fc.constantFrom('', 'me', 'other'),
})
const delivery = fc.uniqueArray(row, {
  selector: ({ round, epoch, attempt }) => `${round} ${epoch} ${attempt}`,
  minLength: 1,
  maxLength: 6,
})
type Row = typeof row extends fc.Arbitrary<infer T> ? T : never

/** What a batch `me` that selects status 400 makes of a delivery, read from the words of the design. */
function expected(rows: readonly Row[]): string | undefined {
  const early = rows.filter(({ sentMs, batch }) => sentMs <= asOfMs && batch !== 'me')
  const selected = decidingRow(early)
  if (selected?.outcome !== 'FAILED' || selected.status !== 400) return undefined
  if (rows.some(({ outcome }) => outcome === 'DELIVERED')) return 'DELIVERED'
  const last = decidingRow(rows)!
  return last === selected ? '' : last.outcome
}

test('what is selected, and what became of it, is what the design says, whatever the rows', async () => {
  const subject = newSubject()
  const deliveries = fc.sample(delivery, { numRuns: 400, seed: 7 })
  await log.insertAttempts(
    subject,
    deliveries.flatMap((rows, offset) => rows.map((each) => ({ ...each, offset, latencyMs: 0, reason: 'NONE' }) as const)),
  )
  const filter = create(RetryFilterSchema, { statuses: [400] })
  const { sql, params } = selectionSql({ subject, filter, asOfMs, batch: 'me' })
  const found = await log.reader.select<{ offset: number; now: string }>({ sql, params, narrow: '' })
  const wanted = deliveries.flatMap((rows, offset) => {
    const now = expected(rows)
    return now === undefined ? [] : [{ offset, now }]
  })
  expect(new Set(wanted.map(({ now }) => now))).toEqual(new Set(['', 'DELIVERED', 'FAILED', 'SKIPPED', 'SUPERSEDED']))
  expect(found.map(({ offset, now }) => ({ offset, now })).sort((a, b) => a.offset - b.offset)).toEqual(wanted)
})

import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import * as fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Reason } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { FailureFilterSchema } from '../../proto/gen/ferry/v1/failure_groups_pb.ts'
import { listFailureGroups } from './failure-groups.ts'
import { LogReader } from './log-reader.ts'
import type { Subject } from './subject.ts'
import { type GivenAttempt, newSubject, openTestLog, type TestLog } from './test-log.ts'

let log: TestLog
beforeAll(async () => {
  log = await openTestLog()
})
afterAll(() => log.close())

const groupsOf = (subject: Subject, filter: MessageInitShape<typeof FailureFilterSchema> = {}, pageSize = 0) =>
  listFailureGroups(log.reader, subject, create(FailureFilterSchema, filter), pageSize)

const failed = (offset: number, responseBody: string, more: Partial<GivenAttempt> = {}): GivenAttempt => ({
  ...{ offset, outcome: 'FAILED', status: 422, responseBody, ...more },
})

async function patternsOf(...texts: string[]): Promise<string[]> {
  const subject = newSubject()
  await log.insertAttempts(
    subject,
    texts.map((text, offset) => failed(offset, text)),
  )
  const { failureGroups } = await groupsOf(subject)
  return failureGroups.map((each) => each.errorPattern)
}

test.each([
  ['Order 17 not found', 'Order 99,817 not found', 'Order <number> not found'],
  ['took 12.5 ms at 12:01:55', 'took 7 ms at 23:59:01.123', 'took <number> ms at <time>'],
  ['since 2026-11-30T23:01:02.123Z', 'since 2025-01-02 03:04', 'since <time>'],
  ['no 3f2504e0-4f89-11d3-9a0c-0305e82c3301', 'no AAAAAAAA-4f89-11d3-9a0c-bbbbbbbbbbbb', 'no <uuid>'],
  ['connect ECONNREFUSED 127.0.0.1:9000', 'connect ECONNREFUSED [fe80::1]:80', 'connect ECONNREFUSED <address>'],
  ['connect ECONNREFUSED ::1:9000', 'connect ECONNREFUSED 2001:db8:85a3:0:0:8a2e:370:7334', 'connect ECONNREFUSED <address>'],
  ['unknown user bob@example.com', 'unknown user x.y+z@mail.example.co.uk', 'unknown user <address>'],
  ['key ord_8f3k2A is taken', 'key 1f is taken', 'key <id> is taken'],
  ['ids 1, 2, 3, 4', 'ids 7; 8; 9; 10; 11', 'ids <list>'],
])('%s and %s are one cause', async (one, other, pattern) => {
  expect(await patternsOf(one, other)).toEqual([pattern])
})

test('texts that differ in words are different causes, and an empty one is a cause as well', async () => {
  expect((await patternsOf('no order', 'no customer', '', 'No order')).sort()).toEqual([
    '',
    'No order',
    'no customer',
    'no order',
  ])
})

test('long texts that differ in numbers of any length are one cause, although the log cuts them', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.bigInt(0n, 10n ** 18n), { minLength: 2, maxLength: 4 }), fc.nat(40), async (ids, words) => {
      const texts = ids.map((id) => `no order ${id} of ${id}: ${'and so on '.repeat(words)}${id} ${id}`)
      expect(await patternsOf(...texts)).toHaveLength(1)
    }),
    { numRuns: 15 },
  )
})

test('a group says how many, when and what, and the largest group comes first', async () => {
  const subject = newSubject()
  const at = Date.now() - 3_600_000
  await log.insertAttempts(subject, [
    failed(1, 'no order 1', { sentMs: at, latencyMs: 0 }),
    failed(2, 'no order 2', { sentMs: at + 5000, latencyMs: 0, partition: 3 }),
    failed(3, 'no order 3', { sentMs: at + 1000, latencyMs: 0 }),
    failed(3, 'no order 3', { sentMs: at + 1000, latencyMs: 0 }),
    failed(4, '', { error: 'connect ECONNREFUSED 10.0.0.1:80', status: 0, reason: 'MAX_RETRIES_REACHED' }),
    { offset: 5 },
  ])
  const { failureGroups, groupCount, deliveryCount } = await groupsOf(subject)
  expect([groupCount, deliveryCount]).toEqual([2n, 4n])
  expect(failureGroups).toMatchObject([
    {
      ...{ status: 422, reason: Reason.NON_RETRYABLE_STATUS, errorPattern: 'no order <number>', deliveryCount: 3n },
      ...{ firstTime: timestampFromMs(at), lastTime: timestampFromMs(at + 5000) },
      ...{ examplePartition: 3, exampleOffset: 2n, exampleText: 'no order 2' },
    },
    { status: 0, reason: Reason.MAX_RETRIES_REACHED, errorPattern: 'connect ECONNREFUSED <address>', deliveryCount: 1n },
  ])
  expect(failureGroups[0]!.id).toMatch(/^422-NON_RETRYABLE_STATUS-[0-9a-f]{16}$/)
  const one = await groupsOf(subject, {}, 1)
  expect([one.failureGroups.length, one.groupCount, one.deliveryCount]).toEqual([1, 2n, 4n])
})

test('only what is FAILED now counts, by its last attempt', async () => {
  const subject = newSubject()
  await log.insertAttempts(subject, [
    failed(1, 'delivered since'),
    { offset: 1, round: 1 },
    { offset: 2 },
    failed(2, 'delivered before', { epoch: 200 }),
    failed(3, 'the first cause'),
    failed(3, 'the second cause', { round: 1 }),
    failed(4, 'skipped since'),
    { offset: 4, round: 1, outcome: 'SKIPPED' },
    failed(5, 'a shadow', { purpose: 'SHADOW', replay: 'r' }),
  ])
  const { failureGroups } = await groupsOf(subject)
  expect(failureGroups.map((each) => each.errorPattern)).toEqual(['the second cause'])
  expect(await groupsOf(subject, { text: 'the first' })).toMatchObject({ failureGroups: [], groupCount: 0n, deliveryCount: 0n })
})

test('each filter selects what it says', async () => {
  const subject = newSubject()
  const at = Date.now() - 3_600_000
  await log.insertAttempts(subject, [
    failed(1, 'a', { sentMs: at, latencyMs: 0 }),
    failed(2, 'b', { sentMs: at + 1000, latencyMs: 0, status: 500, reason: 'MAX_ELAPSED' }),
    failed(3, 'c', { sentMs: at + 2000, latencyMs: 0, partition: 1 }),
  ])
  const cases: [MessageInitShape<typeof FailureFilterSchema>, string[]][] = [
    [{}, ['a', 'b', 'c']],
    [{ statuses: [500] }, ['b']],
    [{ reasons: [Reason.MAX_ELAPSED] }, ['b']],
    [{ text: 'c' }, ['c']],
    [{ partition: 0 }, ['a', 'b']],
    [{ partition: 0, fromOffset: 2n }, ['b']],
    [{ partition: 0, toOffset: 2n }, ['a']],
    [{ fromTime: timestampFromMs(at + 1000) }, ['b', 'c']],
    [{ toTime: timestampFromMs(at + 1000) }, ['a']],
  ]
  for (const [filter, expected] of cases) {
    const { failureGroups } = await groupsOf(subject, filter)
    expect([filter, failureGroups.map((each) => each.errorPattern).sort()]).toEqual([filter, expected])
  }
})

test('a question that is too large is refused, and told how to narrow it', async () => {
  const subject = newSubject()
  await log.insertAttempts(
    subject,
    Array.from({ length: 3000 }, (_, offset) => failed(offset, 'x')),
  )
  const tight = new LogReader(log.clickhouse, { executionTimeoutMs: 5000, rowsToReadMax: 2000, groupBytesMax: 1 << 20 })
  const asked = listFailureGroups(tight, subject, undefined, 0)
  await expect(asked).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED', message: expect.stringContaining('filter.from_time') })
})

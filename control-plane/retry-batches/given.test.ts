import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { RetryBatchState, RetryBatchSchema as schema } from '../../proto/gen/ferry/v1/retry_batch_pb.ts'
import { laneKeys } from '../../runtime/lane-keys.ts'
import { listFailureGroups } from '../attempts/failure-groups.ts'
import { laneOf } from '../attempts/subject.ts'
import { openTestLog, type TestLog } from '../attempts/test-log.ts'
import type { Plan } from './plan.ts'
import { openTestBatches, type TestBatches } from './test-batches.ts'

let log: TestLog
beforeAll(async () => {
  log = await openTestLog()
})
afterAll(() => log.close())

type Filter = NonNullable<MessageInitShape<typeof schema>['filter']>
const plan = (of: TestBatches, filter: Filter): Promise<Plan> =>
  of.api.plan(create(schema, { useCase: of.subject.name, reason: 'why', filter }))
const run = (firstOffset: number, lastOffset: number) => ({ firstOffset: BigInt(firstOffset), lastOffset: BigInt(lastOffset) })
const placesOf = ({ samples }: Plan) => samples.map(({ partition, offset }) => [partition, offset])

test('by single offsets and runs those are selected that are FAILED', async () => {
  const batches = await openTestBatches(log, [0, 1])
  await batches.fail([1, 2, 3, 4, 5, 6])
  await batches.fail([1, 2], { partition: 1 })
  await log.insertAttempts(batches.subject, [{ offset: 7 }, { offset: 8, outcome: 'RETRY' }])
  await batches.park(8)
  const offsets = [
    { partition: 0, offsets: [2n, 7n, 8n], runs: [run(4, 5)] },
    { partition: 1, offsets: [2n] },
  ]
  const found = await plan(batches, { offsets })
  expect(found).toMatchObject({ selected: 4, missing: 0, notSelected: 2 })
  expect(placesOf(found)).toEqual([
    [0, 2],
    [0, 4],
    [0, 5],
    [1, 2],
  ]) // prettier-ignore
  expect(await plan(batches, { offsets, partition: 0, fromOffset: 5n, toOffset: 8n })).toMatchObject({
    selected: 1,
    notSelected: 1,
  })
  expect(await plan(batches, { offsets, statuses: [500] })).toMatchObject({ selected: 0, notSelected: 6 })
  await batches.create({ filter: { offsets } })
  await batches.runner().step()
  expect([await batches.inboxOffsets(), await batches.inboxOffsets(1)]).toEqual([[2, 4, 5], [2]])
})

test('what is missing below the floor is selected with its offsets, sent, and done when the log has an end of it', async () => {
  const batches = await openTestBatches(log, [0, 1])
  const { subject } = batches
  await log.redis.hset(laneKeys(laneOf(subject, 0)).lane, { cursor: 100 })
  // Known: 0 to 9 but for 4; 10 to 19 are ranges; 40 waits in its first life, so the floor is 40.
  await log.insertAttempts(
    subject,
    [0, 1, 2, 3, 5, 6, 7, 8, 9].map((offset) => ({ offset })),
  )
  await log.insertRange(subject, 0, 'FILTERED', [[10, 14]])
  await log.insertRange(subject, 0, 'COMPACTED', [[15, 19]])
  await batches.park(40)
  await batches.fail([30])
  const filter = { offsets: [{ partition: 0, runs: [run(2, 50)] }] }
  const found = await plan(batches, filter)
  // 4, 20 to 29, 31 to 39; and 30, which is FAILED.
  expect(found).toMatchObject({ selected: 21, missing: 20, notSelected: 28, inKafka: 21, expired: 0 })
  expect(found.samples[0]).toMatchObject({ offset: 4, now: '', now_ms: 0 })
  batches.starts.set(0, 25)
  expect(await plan(batches, filter)).toMatchObject({ inKafka: 15, inPayloads: 0, expired: 6 })
  // Whoever asks for failures of a kind does not mean what is missing.
  expect(await plan(batches, { ...filter, statuses: [400] })).toMatchObject({ selected: 1, missing: 0 })
  expect(await plan(batches, { ...filter, fromTime: timestampFromMs(1) })).toMatchObject({ missing: 0 })
  expect(await plan(batches, { partition: 0 })).toMatchObject({ selected: 1, missing: 0 })
  expect(await plan(batches, { offsets: [{ partition: 2, runs: [run(0, 9)] }] })).toMatchObject({ selected: 0, notSelected: 10 })

  const { name } = await batches.create({ filter })
  const runner = batches.runner({ pageSize: 7 })
  await runner.step()
  expect(await batches.inboxOffsets()).toEqual([4, ...Array.from({ length: 20 }, (_, at) => at + 20)])
  expect((await batches.inbox())['4']).toMatch(/:0:0$/)
  // A row that comes late shows that 21 was not missing.
  await log.insertAttempts(subject, [{ offset: 21, sentMs: batches.nowMs - 60_000 }])
  await batches.work((offset) => (offset === 22 ? 'FAILED' : 'DELIVERED'))
  await runner.step()
  expect(await batches.api.get(name)).toMatchObject({
    ...{ state: RetryBatchState.DONE, selected: 20n, delivered: 19n, failedAgain: 1n, remaining: 0n },
  })
})

test('with as_of_time what has failed since is not selected, and what has ended since counts', async () => {
  const batches = await openTestBatches(log)
  const ago = (ms: number): number => batches.nowMs - ms
  await batches.fail([1, 2, 3], { sentMs: ago(60_000) })
  await batches.fail([4], { sentMs: ago(1000) })
  await log.insertAttempts(batches.subject, [{ offset: 2, round: 1, sentMs: ago(1000) }])
  const asOfTime = timestampFromMs(ago(30_000))
  expect((await batches.create({ asOfTime })).selected).toBe(3n)
  const made = await batches.create({ asOfTime }, 'r1')
  expect(made.asOfTime).toEqual(asOfTime)
  await batches.runner().step()
  expect(await batches.inboxOffsets()).toEqual([1, 3])
  expect(await batches.api.get(made.name)).toMatchObject({ selected: 3n, delivered: 1n, remaining: 2n })
  batches.nowMs += 10_000
  expect((await batches.create({ asOfTime }, 'r1')).name).toBe(made.name)
  for (const other of [{}, { asOfTime: timestampFromMs(batches.nowMs) }])
    await expect(batches.create(other, 'r1')).rejects.toMatchObject({ violations: [{ reason: 'REQUEST_ID_REUSED' }] })
  await expect(batches.create({ asOfTime: timestampFromMs(batches.nowMs + 3_600_000) })).rejects.toMatchObject({
    violations: [{ field: 'retry_batch.as_of_time', reason: 'TIME_ORDER' }],
  })
})

test('offsets that are none, or too many, are refused, every mistake at once', async () => {
  const batches = await openTestBatches(log)
  const violations = async (filter: Filter) => {
    const error = await plan(batches, filter).catch((reason: unknown) => reason)
    return (error as { violations: { field: string; reason: string }[] }).violations.map(({ field, reason }) => [field, reason])
  }
  const wrong = [{ partition: 0 }, { partition: 0, runs: [run(5, 4), run(1, 1), run(-1, 3)] }]
  expect(await violations({ offsets: wrong, toOffset: 5n })).toEqual([
    ['retry_batch.filter.to_offset', 'PARTITION_MISSING'],
    ['retry_batch.filter.offsets[0]', 'OFFSETS_MISSING'],
    ['retry_batch.filter.offsets[1].runs[0]', 'OFFSET_ORDER'],
    ['retry_batch.filter.offsets[1].runs[2]', 'OFFSET_ORDER'],
  ])
  const tooMany = [['retry_batch.filter.offsets', 'OFFSETS_TOO_MANY']]
  expect(await violations({ offsets: [{ partition: 0, runs: [run(0, 1_000_000)] }] })).toEqual(tooMany)
  const scattered = Array.from({ length: 5001 }, (_, at) => BigInt(at * 2))
  expect(await violations({ offsets: [{ partition: 0, offsets: scattered }] })).toEqual(tooMany)
  // As many as may be, with offsets as large as they get.
  const large = scattered.slice(1).map((offset) => 9_007_199_254_000_000n + offset)
  expect(await plan(batches, { offsets: [{ partition: 0, offsets: large }] })).toMatchObject({ selected: 0, notSelected: 5000 })
  expect(await plan(batches, { offsets: [{ partition: 0, runs: [run(0, 999_999)] }] })).toMatchObject({ missing: 1_000_000 })
})

test('by a failure group those are selected whose last attempt failed for its cause', async () => {
  const batches = await openTestBatches(log)
  await batches.fail([1, 2], { status: 422, responseBody: 'order 17 is unknown' })
  await batches.fail([3], { status: 422, responseBody: 'order 18 is unknown' })
  await batches.fail([4], { status: 422, responseBody: 'no such customer' })
  await batches.fail([2], { status: 422, responseBody: 'no such customer', round: 1 })
  const { failureGroups } = await listFailureGroups(log.reader, batches.subject, undefined, 10)
  expect(failureGroups.map(({ deliveryCount }) => deliveryCount)).toEqual([2n, 2n])
  for (const { id, exampleText } of failureGroups) {
    const isOrder = exampleText.startsWith('order')
    const { samples } = await plan(batches, { failureGroup: id })
    expect(samples.map(({ offset }) => offset)).toEqual(isOrder ? [1, 3] : [2, 4])
    expect(await plan(batches, { failureGroup: id, partition: 0, toOffset: 3n })).toMatchObject({ selected: 1 })
  }
  expect(await plan(batches, { failureGroup: '422-NON_RETRYABLE_STATUS-0000000000000000' })).toMatchObject({ selected: 0 })
})

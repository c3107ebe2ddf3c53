import { afterAll, beforeAll, expect, test } from 'vitest'
import { Reason } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { type RetryItem, RetryItemState as State } from '../../proto/gen/ferry/v1/retry_batch_pb.ts'
import { openTestLog, type TestLog } from '../attempts/test-log.ts'
import { openTestBatches, type TestBatches } from './test-batches.ts'

let log: TestLog
beforeAll(async () => {
  log = await openTestLog()
})
afterAll(() => log.close())

async function all(batches: TestBatches, name: string, size: number, states: State[] = []): Promise<RetryItem[]> {
  const items: RetryItem[] = []
  let token = ''
  do {
    const page = await batches.api.listItems(name, states, size, token)
    expect(page.items.length).toBeLessThanOrEqual(size)
    items.push(...page.items)
    token = page.nextPageToken
  } while (token !== '')
  return items
}

test('each delivery of a batch is listed once, with what has become of it', async () => {
  const batches = await openTestBatches(log, [0, 1])
  await batches.fail([1, 2, 3, 4, 5, 6, 7, 8], { error: 'no answer', status: 0, reason: 'TIMEOUT' })
  await batches.fail([1, 2], { partition: 1 })
  const { name } = await batches.create({
    filter: {
      offsets: [
        { partition: 0, runs: [{ firstOffset: 1n, lastOffset: 9n }] },
        { partition: 1, offsets: [2n] },
      ],
    },
  })
  await batches.runner().step()
  const later = { round: 1, sentMs: batches.nowMs + 10 }
  await log.insertAttempts(batches.subject, [
    { offset: 1, ...later },
    { offset: 2, outcome: 'FAILED', status: 422, responseBody: 'still wrong', ...later },
    { offset: 3, outcome: 'SUPERSEDED', reason: 'NEWER_DELIVERED', ...later },
    { offset: 4, outcome: 'FAILED', reason: 'PAYLOAD_EXPIRED', ...later },
    { offset: 5, outcome: 'SKIPPED', reason: 'OPERATOR', ...later },
  ])
  await batches.park(6, { round: 1, attempts: 1 })
  await batches.park(7, { round: 1 })
  const expected = [
    [0, 1n, State.DELIVERED, 1],
    [0, 2n, State.FAILED_AGAIN, 1],
    [0, 3n, State.SUPERSEDED, 1],
    [0, 4n, State.PAYLOAD_EXPIRED, 1],
    [0, 5n, State.SKIPPED, 1],
    [0, 6n, State.SENT, 0],
    [0, 7n, State.WAITING, 0],
    [0, 8n, State.WAITING, 0],
    // It was missing.
    [0, 9n, State.WAITING, 0],
    [1, 2n, State.WAITING, 0],
  ]
  for (const size of [3, 4, 100]) {
    const found = await all(batches, name, size)
    expect(found.map(({ partition, offset, state, round }) => [partition, offset, state, round])).toEqual(expected)
  }
  const [, again] = await all(batches, name, 100)
  expect(again).toMatchObject({ status: 422, reason: Reason.NON_RETRYABLE_STATUS, text: 'still wrong' })
  const wanted = [State.FAILED_AGAIN, State.PAYLOAD_EXPIRED]
  expect((await all(batches, name, 3, wanted)).map(({ offset }) => offset)).toEqual([2n, 4n])
  const waiting = (await all(batches, name, 3, [State.WAITING]))[0]
  expect(waiting).toMatchObject({ offset: 7n, reason: Reason.TIMEOUT, text: 'no answer' })
  await batches.api.cancel(name, { actor: 'ada', reason: '' })
  expect((await all(batches, name, 3)).map(({ state }) => state).slice(5)).toEqual([
    State.SENT,
    ...Array(4).fill(State.CANCELLED),
  ])
})

test('with max_items those are listed that it selects', async () => {
  const batches = await openTestBatches(log, [0, 1])
  await batches.fail([1, 2, 3, 4, 5])
  await batches.fail([1], { partition: 1 })
  const { name } = await batches.create({ maxItems: 3n })
  for (const size of [2, 10])
    expect((await all(batches, name, size)).map(({ partition, offset }) => [partition, offset])).toEqual([
      [0, 1n],
      [0, 2n],
      [1, 1n],
    ]) // prettier-ignore
})

test('a page token of another batch, or none, is refused', async () => {
  const batches = await openTestBatches(log)
  await batches.fail([1, 2, 3])
  const [one, two] = [await batches.create(), await batches.create()]
  const { nextPageToken } = await batches.api.listItems(one.name, [], 1, '')
  for (const token of [nextPageToken, 'made up', `${two.name}.x.1`])
    await expect(batches.api.listItems(two.name, [], 1, token)).rejects.toMatchObject({ code: 'INVALID_PAGE_TOKEN' })
})

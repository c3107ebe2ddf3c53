import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { RetryBatchAction as Action, RetryBatchState as State } from '../../proto/gen/ferry/v1/retry_batch_pb.ts'
import { openTestLog, type TestLog } from '../attempts/test-log.ts'
import { openTestBatches, type TestBatches } from './test-batches.ts'

let log: TestLog
beforeAll(async () => {
  log = await openTestLog()
})
afterAll(() => log.close())

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index)
const delivers = (): 'DELIVERED' => 'DELIVERED'
const ada = { actor: 'ada', reason: 'the endpoint is slow' }
const idOf = ({ name }: { readonly name: string }): string => name.split('/').at(-1)!

const offsetsOf = async (batches: TestBatches): Promise<number[]> =>
  (await batches.inboxOffsets()).filter((field) => !Number.isNaN(field))

test('a paused batch takes back what was not sent, hands nothing over, and goes on from there', async () => {
  const batches = await openTestBatches(log)
  await batches.fail(numbers(30))
  const { name } = await batches.create()
  const runner = batches.runner({ pageSize: 10, pagesPerTurn: 1 })
  await runner.step()
  const done = (await batches.work(delivers)).slice()
  await runner.step()
  expect(await offsetsOf(batches)).toHaveLength(10)
  expect((await batches.api.pause(name, ada)).state).toBe(State.PAUSED)
  await runner.step()
  expect(await batches.inbox()).toEqual({ [`cancel:${idOf({ name })}`]: '1' })
  await runner.step()
  expect(await offsetsOf(batches)).toEqual([])
  expect(await batches.api.get(name)).toMatchObject({ state: State.PAUSED, delivered: 10n, remaining: 20n, endedPerSecond: 0 })
  expect((await batches.api.get(name)).estimatedEndTime).toBeUndefined()
  expect((await batches.api.resume(name, ada)).state).toBe(State.ENQUEUING)
  while ((await batches.api.get(name)).state !== State.DONE) {
    await runner.step()
    done.push(...(await batches.work(delivers)))
  }
  expect(done.sort((a, b) => a - b)).toEqual(numbers(30))
})

test('pausing and resuming twice is as once, and a batch that is over is neither', async () => {
  const batches = await openTestBatches(log)
  await batches.fail([1])
  const { name } = await batches.create()
  expect((await batches.api.resume(name, ada)).events).toHaveLength(1)
  await batches.api.pause(name, ada)
  expect((await batches.api.pause(name, ada)).events).toHaveLength(2)
  await batches.api.resume(name, ada)
  expect((await batches.api.resume(name, ada)).events).toHaveLength(3)
  await batches.api.cancel(name, ada)
  for (const act of [batches.api.pause, batches.api.resume])
    await expect(act.call(batches.api, name, ada)).rejects.toMatchObject({ code: 'RETRY_BATCH_ENDED' })
})

test('its events say who did what, when and why, and so does the audit', async () => {
  const batches = await openTestBatches(log)
  await batches.fail([1])
  const { name } = await batches.create()
  const times = [batches.nowMs]
  for (const act of [batches.api.pause, batches.api.resume, batches.api.cancel]) {
    batches.nowMs += 1000
    times.push(batches.nowMs)
    await act.call(batches.api, name, ada)
  }
  const { events } = await batches.api.get(name)
  expect(events.map(({ action, actor, reason }) => [action, actor, reason])).toEqual([
    [Action.CREATE, 'somebody', 'fixed'],
    [Action.PAUSE, 'ada', 'the endpoint is slow'],
    [Action.RESUME, 'ada', 'the endpoint is slow'],
    [Action.CANCEL, 'ada', 'the endpoint is slow'],
  ])
  expect(events.map(({ eventTime }) => eventTime)).toEqual(times.map(timestampFromMs))
  const audit = (await log.redis.xrange(batches.control.outbox, '-', '+')).map(([, [, row]]) => JSON.parse(row!))
  expect(audit.map(({ action, actor, reason }) => [action, actor, reason])).toEqual([
    ['RETRY_BATCH', 'somebody', 'fixed'],
    ['RETRY_BATCH_PAUSE', 'ada', 'the endpoint is slow'],
    ['RETRY_BATCH_RESUME', 'ada', 'the endpoint is slow'],
    ['RETRY_BATCH_CANCEL', 'ada', 'the endpoint is slow'],
  ])
})

test('of many events the creation and the latest 49 stay', async () => {
  const batches = await openTestBatches(log)
  await batches.fail([1])
  const { name } = await batches.create()
  for (let count = 0; count < 30; count++) {
    await batches.api.pause(name, { ...ada, reason: `pause ${count}` })
    await batches.api.resume(name, ada)
  }
  const { events } = await batches.api.get(name)
  expect(events).toHaveLength(50)
  expect(events[0]!.action).toBe(Action.CREATE)
  expect(events.at(-2)!.reason).toBe('pause 29')
})

test('a leader that was frozen hands nothing over while the batch is paused', async () => {
  const batches = await openTestBatches(log)
  await batches.fail(numbers(20))
  const { name } = await batches.create()
  const limits = { pageSize: 5, pagesPerTurn: 1 }
  await batches.runner(limits).step()
  const [frozen] = await batches.store.active()
  await batches.api.pause(name, ada)
  const runner = batches.runner(limits)
  await runner.step()
  const { handOver } = await import('./hand-over.ts')
  const counts = { delivered: 0, failed_again: 0, superseded: 0, payload_expired: 0, skipped: 0 }
  const lanes = [{ partition: 0, selected: 20, ...counts, pending: 20, waiting: 15 }]
  const sources = { log: log.reader, redis: log.redis, lead: () => ({ term: 1 }), markInbox: () => {} }
  const marks = new Map([[0, { lap: 0, offset: 4, handed: 5 }]])
  const handed = await handOver(sources, { ...limits, inboxMax: 100 }, frozen!, batches.subject, lanes, marks)
  expect([handed, await offsetsOf(batches)]).toEqual([0, []])
})

test('what was sent before the pause ends, and when that was all the batch is done; a paused one can be cancelled', async () => {
  const batches = await openTestBatches(log)
  await batches.fail([1, 2])
  const [one, two] = [await batches.create(), await batches.create()]
  const runner = batches.runner()
  await runner.step()
  for (const { name } of [one, two]) await batches.api.pause(name, ada)
  await runner.step()
  await batches.api.cancel(two.name, ada)
  await log.insertAttempts(
    batches.subject,
    [1, 2].map((offset) => ({ offset, round: 1, sentMs: batches.nowMs + 1 })),
  )
  await runner.step()
  expect(await batches.api.get(one.name)).toMatchObject({ state: State.DONE, delivered: 2n })
  expect(await batches.api.get(two.name)).toMatchObject({ state: State.CANCELLED, delivered: 2n })
})

test('with max_items no more is handed over for a pause, wherever it strikes', async () => {
  for (const steps of [0, 2]) {
    const batches = await openTestBatches(log)
    await batches.fail(numbers(30))
    const { name } = await batches.create({ maxItems: 20n })
    const runner = batches.runner({ pageSize: 10, pagesPerTurn: 1 })
    const done: number[] = []
    for (let round = 0; round < 3; round++) {
      await runner.step()
      if (round === 1) done.push(...(await batches.work(delivers)))
      await batches.api.pause(name, ada)
      for (let count = 0; count < steps; count++) await runner.step()
      await batches.api.resume(name, ada)
    }
    for (let count = 0; count < 8; count++) {
      await runner.step()
      done.push(...(await batches.work(delivers)))
    }
    expect([steps, done.sort((a, b) => a - b)]).toEqual([steps, numbers(20)])
    expect((await batches.api.get(name)).state).toBe(State.DONE)
  }
})

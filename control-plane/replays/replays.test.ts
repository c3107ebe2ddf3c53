import { randomBytes } from 'node:crypto'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { ReplaySchema, ReplayState as State } from '../../proto/gen/ferry/v1/replay_pb.ts'
import { type UseCase, UseCaseSchema, UseCaseState } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { laneKeys, replayUid, writeParked } from '../../runtime/lane-keys.ts'
import { newSubject, openTestLog, silent, type TestLog } from '../attempts/test-log.ts'
import { controlKeys } from '../store/control-keys.ts'
import { orderKeys } from '../store/order-keys.ts'
import { OrderStore } from '../store/order-store.ts'
import { replayKind } from './replay.ts'
import { ReplayDefinitions } from './replay-definitions.ts'
import { Replays } from './replays.ts'
import { ReplayRunner } from './run-replays.ts'

let log: TestLog
beforeAll(async () => {
  log = await openTestLog()
})
afterAll(() => log.close())

/** A use case of two partitions with 100 and 50 records, and everything that a replay of it needs. */
async function open(activeMax = 10) {
  const subject = newSubject()
  const tag = `test-${randomBytes(6).toString('hex')}`
  const control = controlKeys(tag)
  await log.redis.hset(control.changes, { last: 0, drained: 0 })
  const limits = { activeMax, keptMax: 10, outboxEntriesMax: 1000 }
  const store = new OrderStore(replayKind, { redis: log.redis, keys: orderKeys('replays', tag), control, ...limits })
  const world = { state: UseCaseState.ACTIVE as UseCaseState | undefined, logIsWhole: true, nowMs: Date.now(), changes: 0 }
  const { name, uid, topic } = subject
  const find = async (): Promise<UseCase | undefined> => {
    if (world.state === undefined) return undefined
    const spec = { source: { topic }, destination: { url: 'http://127.0.0.1/' } }
    return create(UseCaseSchema, { name, uid, revision: 3n, status: { state: world.state }, spec })
  }
  const offsets = {
    startOffsets: async () =>
      new Map([
        [0, 0],
        [1, 0],
      ]), // prettier-ignore
    endOffsets: async () =>
      new Map([
        [0, 100],
        [1, 50],
      ]), // prettier-ignore
    offsetsAt: async () => new Map([[0, 90]]),
  }
  const nowMs = () => world.nowMs
  const changed = () => void world.changes++
  const definitions = new ReplayDefinitions({ store, useCaseByUid: find, nowMs })
  const api = new Replays({
    ...{ store, log: log.reader, redis: log.redis, offsets, changed, nowMs },
    useCase: async () => (await find())!,
  })
  const runner = new ReplayRunner({
    ...{ store, definitions, log: log.reader, redis: log.redis, useCaseByUid: find, changed, nowMs, logger: silent },
    ...{ lead: () => ({ term: 1 }), logIsWhole: async () => world.logIsWhole },
  })
  const make = (more: MessageInitShape<typeof ReplaySchema> = {}, requestId = '') =>
    api.create(
      create(ReplaySchema, { useCase: name, reason: 'why', ranges: [{ partition: 0, fromOffset: 90n }], ...more }),
      requestId,
      'ada',
    )
  const keysOf = (replay: { readonly name: string }, partition = 0) =>
    laneKeys({ uid: replayUid(uid, idOf(replay)), cluster: 'default', topic, partition })
  return { ...{ subject, store, control, world, definitions, api, runner, make, keysOf } }
}

const idOf = ({ name }: { readonly name: string }): string => name.split('/').at(-1)!

test('a replay has both ends of its offsets, and the same request id answers it', async () => {
  const { make, world, control, subject } = await open()
  const first = await make({ url: 'https://shadow.example/', recordsPerSecond: 5 }, 'r1')
  expect(first).toMatchObject({
    state: State.RUNNING,
    creator: 'ada',
    offsetCount: 10n,
    ranges: [{ fromOffset: 90n, toOffset: 100n }],
  })
  expect(idOf(first)).toMatch(/^sh-/)
  expect(idOf(await make())).toMatch(/^rp-/)
  expect(world.changes).toBe(2)
  expect(await make({ url: 'https://shadow.example/', recordsPerSecond: 5 }, 'r1')).toEqual(first)
  const others = [
    { url: 'https://shadow.example/', recordsPerSecond: 6 },
    { url: 'https://shadow.example/', recordsPerSecond: 5, ranges: [{ partition: 0 }] },
  ] // prettier-ignore
  for (const other of others)
    await expect(make(other, 'r1')).rejects.toMatchObject({ violations: [{ field: 'request_id', reason: 'REQUEST_ID_REUSED' }] })
  expect(await make({ ranges: [], fromTime: timestampFromMs(5) })).toMatchObject({
    offsetCount: 10n,
    ranges: [{ partition: 0, fromOffset: 90n }],
  })
  const audit = (await log.redis.xrange(control.outbox, '-', '+')).map(([, [, row]]) => JSON.parse(row!))
  expect(audit[0]).toMatchObject({ action: 'REPLAY', actor: 'ada', reason: 'why', uid: subject.uid, resource: first.name })
})

test('it is done when every lane has reached its end and the log is whole, and what the log has of it is counted', async () => {
  const { make, api, runner, world, keysOf, subject, definitions, store } = await open()
  const replay = await make({
    ranges: [
      { partition: 0, fromOffset: 90n },
      { partition: 1, fromOffset: 45n },
    ],
  }) // prettier-ignore
  await log.redis.hset(keysOf(replay).lane, { cursor: 100 })
  await log.redis.hset(keysOf(replay, 1).lane, { cursor: 48 })
  const entry = { state: 'P', keyHash: undefined, attempts: 1, unpaid: 0, firstMs: 0, lastMs: 0, dueMs: 0, round: 0 } as const
  const parked = writeParked({ ...entry, bytes: 0, where: 'K', batch: undefined, stale: false, newKey: false })
  await log.redis.hset(keysOf(replay).parked, '97', parked)
  const of = { replay: idOf(replay), trigger: 'REPLAY' }
  await log.insertAttempts(subject, [
    { ...of, offset: 91 },
    { ...of, offset: 92, outcome: 'FAILED' },
    { ...of, offset: 93, outcome: 'SKIPPED' },
    // The record's own, and another replay's.
    { offset: 94 },
    { ...of, replay: 'rp-other', offset: 95 },
  ])
  await runner.step()
  expect(await api.get(replay.name)).toMatchObject({
    state: State.RUNNING,
    offsetCount: 15n,
    doneCount: 10n,
    delivered: 1n,
    failed: 1n,
    skipped: 1n,
  })
  await log.redis.hdel(keysOf(replay).parked, '97')
  await log.redis.hset(keysOf(replay, 1).lane, { cursor: 50 })
  world.logIsWhole = false
  await runner.step()
  expect((await api.get(replay.name)).state).toBe(State.RUNNING)
  world.logIsWhole = true
  await runner.step()
  expect(await api.get(replay.name)).toMatchObject({ state: State.DONE, doneCount: 15n, endTime: timestampFromMs(world.nowMs) })
  const [definition] = await definitions.all()
  expect(definition!.status!.state).toBe(UseCaseState.DELETING)
  expect(await definitions.getByUid(definition!.uid)).toBeUndefined()
  await definitions.finished(definition!.uid)
  expect([await store.active(), await definitions.all()]).toEqual([[], []])
  expect((await api.list(subject.name, 0, '')).replays).toMatchObject([{ name: replay.name, state: State.DONE, delivered: 1n }])
})

test('workers get its definition by its own uid, and only while it runs', async () => {
  const { make, definitions, api, subject } = await open()
  const replay = await make()
  const uid = replayUid(subject.uid, idOf(replay))
  expect(await definitions.getByUid(uid)).toMatchObject({ uid, revision: 3n })
  for (const other of [subject.uid, replayUid('another', idOf(replay)), replayUid(subject.uid, 'rp-none')])
    expect(await definitions.getByUid(other)).toBeUndefined()
  expect(await api.cancel(replay.name, 'ada', 'enough')).toMatchObject({ state: State.CANCELLED, cancelReason: 'by ada: enough' })
  expect(await definitions.getByUid(uid)).toBeUndefined()
  expect(await api.cancel(replay.name, 'bob', '')).toMatchObject({ cancelReason: 'by ada: enough' })
})

test('a replay of a use case that is deleted is cancelled', async () => {
  const { make, runner, api, world } = await open()
  const replay = await make()
  world.state = UseCaseState.DELETING
  await runner.step()
  expect(await api.get(replay.name)).toMatchObject({ state: State.CANCELLED, cancelReason: 'its use case was deleted' })
  await expect(make()).rejects.toMatchObject({ code: 'USE_CASE_DELETING' })
})

test('there is a limit to how many run, and what nobody made is not found', async () => {
  const { make, api, subject } = await open(2)
  await make()
  const { name } = await make()
  await expect(make()).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
  for (const other of [`${subject.name}/replays/rp-none`, name.replace(subject.name, 'namespaces/a/useCases/b'), 'x'])
    await expect(api.get(other)).rejects.toMatchObject({ code: 'REPLAY_NOT_FOUND' })
})

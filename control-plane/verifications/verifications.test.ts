import { randomBytes } from 'node:crypto'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { UseCaseSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import {
  CreateVerificationRequestSchema,
  type Verification,
  VerificationState,
} from '../../proto/gen/ferry/v1/verification_service_pb.ts'
import { LogReader } from '../attempts/log-reader.ts'
import type { Subject } from '../attempts/subject.ts'
import { newSubject, openTestLog, silent, type TestLog } from '../attempts/test-log.ts'
import { type Around, givenTopic, setLaneState, verifyLimits } from '../attempts/test-verify.ts'
import { CertificateKeys } from './certificate-keys.ts'
import { VerificationRunner, type VerificationRunnerOptions } from './run-verifications.ts'
import { verificationKeys } from './verification-keys.ts'
import { VerificationStore } from './verification-store.ts'
import { Verifications } from './verifications.ts'

let log: TestLog
beforeAll(async () => {
  log = await openTestLog()
})
afterAll(() => log.close())

const size = 100

/** One use case of which a hundred records are delivered, and what may be asked of it. */
class World {
  readonly subject: Subject = newSubject()
  readonly keys = verificationKeys(`test-${randomBytes(6).toString('hex')}`)
  readonly store: VerificationStore
  readonly api: Verifications
  nowMs = Date.now()
  exists = true
  leads = true

  constructor(limits: { openMax?: number; keptMax?: number; keptMs?: number } = {}, ends = [size], around: Around = {}) {
    const keptMs = limits.keptMs ?? 60_000
    this.store = new VerificationStore({ redis: log.redis, keys: this.keys, openMax: 10, keptMax: 10, ...limits, keptMs })
    const offsets = givenTopic(ends, around)
    const useCase = async () => this.#useCase()
    this.api = new Verifications({ store: this.store, offsets, useCase, keptMs, nowMs: () => this.nowMs })
  }

  async open(): Promise<this> {
    await setLaneState(log, this.subject, 0, size, {}, 'id')
    await log.insertAttempts(
      this.subject,
      Array.from({ length: size }, (_, offset) => ({ offset })),
    )
    return this
  }

  #useCase() {
    const { name, uid, cluster, topic } = this.subject
    return create(UseCaseSchema, {
      name,
      uid,
      revision: 7n,
      createTime: timestampFromMs(this.nowMs),
      spec: { source: { cluster, topic } },
    })
  }

  /** A leader of its own memory, as after a start. */
  runner(more: Partial<VerificationRunnerOptions> = {}): VerificationRunner {
    const sources = { log: log.reader, redis: log.redis, offsets: givenTopic([size]), spool: { waiting: async () => 0 } }
    return new VerificationRunner({
      ...{ store: this.store, sources, limits: verifyLimits, keys: new CertificateKeys(undefined, []), ferryVersion: '1.2.3' },
      useCaseByUid: async (uid) => (this.exists && uid === this.subject.uid ? this.#useCase() : undefined),
      lead: () => (this.leads ? { term: 1 } : undefined),
      ...{ atOnce: 2, timeoutMs: 60_000, progressIntervalMs: 0, retryMs: 0, nowMs: () => this.nowMs, log: silent },
      ...more,
    })
  }

  create(more: MessageInitShape<typeof CreateVerificationRequestSchema> = {}): Promise<Verification> {
    return this.api.create(create(CreateVerificationRequestSchema, { useCase: this.subject.name, ...more }), 'somebody')
  }
}

async function work(runner: VerificationRunner): Promise<void> {
  await runner.step()
  await runner.idle()
}

test('what is asked for is counted beside the call, and kept with its certificate', async () => {
  const world = await new World().open()
  const { name, state } = await world.create({ ranges: [{ partition: 0, toOffset: 90n }] })
  expect([name.startsWith(`${world.subject.name}/verifications/v-`), state]).toEqual([true, VerificationState.PENDING])
  await work(world.runner())
  const done = await world.api.get(name)
  expect(done).toMatchObject({
    ...{ name, useCase: world.subject.name, state: VerificationState.DONE, creator: 'somebody', error: '' },
    ...{ offsetsTotal: 90n, offsetsDone: 90n, result: { complete: true, topicId: 'id', total: { delivered: 90n } } },
  })
  expect(JSON.parse(done.certificate!.document)).toMatchObject({
    ...{ verification: name, useCase: { name: world.subject.name, uid: world.subject.uid, revision: 7 }, topicId: 'id' },
    ...{ ferryVersion: '1.2.3', keyId: null, complete: true, total: { delivered: 90 } },
    asked: { ranges: [{ partition: 0, toOffset: 90 }] },
  })
  const [listed] = (await world.api.list(world.subject.name, 0, '')).verifications
  expect(listed).toMatchObject({ name, result: { complete: true, partitions: [], total: { delivered: 90n } } })
  expect(listed!.certificate).toBeUndefined()
})

test('what is wrong with the range is told at once, and nothing is made', async () => {
  const world = new World()
  await expect(world.create({ ranges: [{ partition: 3 }, { partition: 0, toOffset: 101n }] })).rejects.toMatchObject({
    code: 'INVALID_REQUEST',
    violations: [{ field: 'ranges[0].partition' }, { field: 'ranges[1].to_offset' }],
  })
  expect((await world.api.list(world.subject.name, 0, '')).verifications).toEqual([])
})

test('the same request answers the first verification, and another range with its id is refused', async () => {
  const world = new World()
  const asked = { requestId: 'r1', ranges: [{ partition: 0, fromOffset: 5n }] }
  const first = await world.create(asked)
  expect((await world.create(asked)).name).toBe(first.name)
  expect((await world.create({ ...asked, requestId: 'r2' })).name).not.toBe(first.name)
  await expect(world.create({ requestId: 'r1' })).rejects.toMatchObject({ violations: [{ field: 'request_id' }] })
})

test('only so many are open, and only so many and for so long are they kept', async () => {
  const world = await new World({ openMax: 2, keptMax: 3 }).open()
  const names: string[] = []
  const make = async (): Promise<void> => {
    world.nowMs += 1
    names.push((await world.create()).name)
  }
  await make()
  await make()
  await expect(world.create()).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
  for (let more = 0; more < 3; more++) {
    await work(world.runner())
    await make()
  }
  const listed = async (size: number, token = '') => world.api.list(world.subject.name, size, token)
  expect((await listed(0)).verifications.map(({ name }) => name)).toEqual(names.slice(2).reverse())
  await expect(world.api.get(names[0]!)).rejects.toMatchObject({ code: 'VERIFICATION_NOT_FOUND' })
  const page = await listed(2)
  expect(page.verifications.length).toBe(2)
  const rest = await listed(2, page.nextPageToken)
  expect([rest.verifications.map(({ name }) => name), rest.nextPageToken]).toEqual([[names[2]], ''])
  await expect(listed(2, 'v-0-0')).rejects.toMatchObject({ code: 'INVALID_PAGE_TOKEN' })
  const id = names[4]!.split('/').at(-1)!
  const leftMs = await log.redis.pttl(world.keys.record(id))
  expect(leftMs).toBeGreaterThan(30_000)
  expect(leftMs).toBeLessThanOrEqual(60_000)
})

test('a verification that is cancelled counts no further and stays cancelled', async () => {
  const world = await new World().open()
  const waiting = await world.create()
  expect((await world.api.cancel(waiting.name)).state).toBe(VerificationState.CANCELLED)
  await work(world.runner())
  expect((await world.api.cancel(waiting.name)).state).toBe(VerificationState.CANCELLED)
  const counting = await world.create()
  let pieces = 0
  const slow = new LogReader(log.clickhouse, verifyLimits)
  const reader = Object.assign(Object.create(slow), {
    select: async (question: Parameters<LogReader['select']>[0]) => {
      if (question.sql.includes('island') && pieces++ === 1) await world.api.cancel(counting.name)
      return slow.select(question)
    },
  }) as LogReader
  const sources = { log: reader, redis: log.redis, offsets: givenTopic([size]), spool: { waiting: async () => 0 } }
  await work(world.runner({ sources, limits: { ...verifyLimits, sliceOffsetsMax: 10 } }))
  expect(pieces).toBeLessThan(5)
  expect((await world.api.get(counting.name)).state).toBe(VerificationState.CANCELLED)
  const ended = await world.create()
  await work(world.runner())
  await expect(world.api.cancel(ended.name)).rejects.toMatchObject({ code: 'VERIFICATION_ENDED' })
})

test('a part that is away is waited for, a question that cannot be answered fails, and nobody counts for ever', async () => {
  const world = await new World().open()
  const { name } = await world.create()
  const away = { ...givenTopic([size]), endOffsets: async () => Promise.reject(new Error('no broker')) }
  const sources = { log: log.reader, redis: log.redis, offsets: away, spool: { waiting: async () => 0 } }
  await work(world.runner({ sources }))
  expect(await world.api.get(name)).toMatchObject({
    state: VerificationState.PENDING,
    error: expect.stringContaining('no broker'),
  })
  await work(world.runner())
  expect(await world.api.get(name)).toMatchObject({ state: VerificationState.DONE, error: '' })

  const large = await world.create()
  await work(world.runner({ limits: { ...verifyLimits, rowsToReadMax: 1 } }))
  expect(await world.api.get(large.name)).toMatchObject({
    state: VerificationState.FAILED,
    error: expect.stringMatching(/fewer/),
  })

  const late = await world.create()
  world.nowMs += 60_001
  await work(world.runner())
  expect(await world.api.get(late.name)).toMatchObject({
    state: VerificationState.FAILED,
    error: expect.stringMatching(/60000 ms/),
  })

  const orphan = await world.create()
  world.exists = false
  await work(world.runner())
  expect(await world.api.get(orphan.name)).toMatchObject({ state: VerificationState.FAILED, error: 'the use case was deleted' })
})

test('another leader counts what the first one had begun, from the start', async () => {
  const world = await new World().open()
  const { name } = await world.create()
  const first = world.runner({
    lead: () => (pieces++ < 2 ? { term: 1 } : undefined),
    limits: { ...verifyLimits, sliceOffsetsMax: 10 },
  })
  let pieces = 0
  await work(first)
  expect(await world.api.get(name)).toMatchObject({ state: VerificationState.RUNNING, offsetsTotal: 100n, offsetsDone: 20n })
  await work(world.runner())
  expect(await world.api.get(name)).toMatchObject({ state: VerificationState.DONE, offsetsDone: 100n })
  // The first one comes back to life with what it had read: it changes nothing.
  await work(first)
  expect((await world.api.get(name)).state).toBe(VerificationState.DONE)
})

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ExpectedRecordsSchema, ReportExpectedRecordsRequestSchema } from '../../proto/gen/ferry/v1/reconciliation_pb.ts'
import { UseCaseSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import type { Subject } from '../attempts/subject.ts'
import { type GivenAttempt, newSubject, openTestLog, type TestLog } from '../attempts/test-log.ts'
import { type Around, givenTopic, setLaneState, verifyLimits } from '../attempts/test-verify.ts'
import { ExpectedLog } from './expected-log.ts'
import { Reconciliations } from './reconciliations.ts'

let log: TestLog
beforeAll(async () => {
  log = await openTestLog()
})
afterAll(() => log.close())

/** As a producer computes it. */
const checksumOf = (keys: readonly string[]): bigint =>
  keys.reduce((sum, key) => BigInt.asUintN(64, sum + createHash('sha256').update(key).digest().readBigUInt64BE()), 0n)
const keyOf = (offset: number): string => `k${offset % 30}`
const keysOf = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, index) => keyOf(from + index))
const delivered = (from: number, to: number, more: Partial<GivenAttempt> = {}) =>
  keysOf(from, to).map((key, index): GivenAttempt => ({ offset: from + index, key, ...more }))

type Window = MessageInitShape<typeof ExpectedRecordsSchema>

/** One partition of 100 offsets, of which all are delivered. */
class World {
  readonly subject: Subject = newSubject()
  readonly #around: Around
  readonly #more: { readonly windowsMax?: number; readonly offsetsMax?: number }
  nowMs = Date.now()
  topicId = 'id'

  constructor(around: Around = {}, more: { readonly windowsMax?: number; readonly offsetsMax?: number } = {}) {
    this.#around = around
    this.#more = more
  }

  async open(rows: readonly GivenAttempt[] = delivered(0, 100), cursor = 100): Promise<this> {
    await setLaneState(log, this.subject, 0, cursor)
    await log.insertAttempts(this.subject, rows)
    return this
  }

  get #api(): Reconciliations {
    const { name, uid, cluster, topic } = this.subject
    const offsets = givenTopic([100], { ...this.#around, topicId: this.topicId })
    return new Reconciliations({
      expected: new ExpectedLog(log.clickhouse, log.reader, 10_000),
      sources: { log: log.reader, redis: log.redis, offsets, spool: { waiting: async () => 0 } },
      limits: { ...verifyLimits, sliceOffsetsMax: 40, offsetsMax: this.#more.offsetsMax ?? 1000 },
      useCase: async () =>
        create(UseCaseSchema, { name, uid, createTime: timestampFromMs(Date.now()), spec: { source: { cluster, topic } } }),
      windowsMax: this.#more.windowsMax ?? 100,
      nowMs: () => this.nowMs,
    })
  }

  report(...windows: Window[]) {
    this.nowMs++
    return this.#api.report(create(ReportExpectedRecordsRequestSchema, { useCase: this.subject.name, windows }), 'producer')
  }

  page(ids: string[] = [], size = 0, token = '') {
    return this.#api.reconcile(this.subject.name, ids, size, token)
  }

  async only(id: string) {
    const { reconciled } = await this.page([id])
    expect(reconciled).toHaveLength(1)
    return reconciled[0]!
  }
}

const range = (fromOffset: number, toOffset: number) => [
  { partition: 0, fromOffset: BigInt(fromOffset), toOffset: BigInt(toOffset) },
]

test('what a producer has counted and summed up matches what was delivered, whatever the order', async () => {
  const world = await new World().open()
  const keyChecksum = checksumOf(keysOf(10, 90).toReversed())
  expect(await world.report({ windowId: 'a', ranges: range(10, 90), count: 80n, keyChecksum })).toMatchObject([
    { windowId: 'a', ranges: [{ partition: 0, fromOffset: 10n, toOffset: 90n }], count: 80n, keyChecksum },
  ])
  const { matches, findings, keysKnown, keyChecksum: found, verified, expected } = await world.only('a')
  expect({ matches, findings, keysKnown, found }).toEqual({ matches: true, findings: [], keysKnown: 80, found: keyChecksum })
  expect(verified.total.delivered).toBe(80)
  expect(expected).toMatchObject({ reporter: 'producer', reportMs: world.nowMs })
  // Attempts that failed, and repeats, are of the same records.
  await log.insertAttempts(world.subject, [
    ...delivered(20, 30, { outcome: 'RETRY', attempt: 7 }),
    ...delivered(40, 50, { epoch: 999 }),
  ])
  expect((await world.only('a')).matches).toBe(true)
})

test('a window that is reported again takes the place of the first', async () => {
  const world = await new World().open()
  await world.report({ windowId: 'a', ranges: range(0, 50), count: 49n })
  expect(await world.only('a')).toMatchObject({ matches: false, findings: ['COUNT_DIFFERS'] })
  await world.report({ windowId: 'a', ranges: range(0, 50), count: 50n })
  expect(await world.only('a')).toMatchObject({ matches: true, findings: [] })
})

test('other counts, other keys, failures and what is lost are findings of their own', async () => {
  const rows = [...delivered(0, 20), ...delivered(20, 40, { outcome: 'FAILED' }), ...delivered(40, 50), ...delivered(60, 100)]
  const world = await new World().open(rows)
  await world.report(
    { windowId: 'count', ranges: range(0, 20), count: 21n, keyChecksum: 1n },
    { windowId: 'keys', ranges: range(0, 20), count: 20n, keyChecksum: checksumOf(keysOf(1, 21)) },
    { windowId: 'failed', ranges: range(20, 40), count: 20n, keyChecksum: checksumOf(keysOf(20, 40)) },
    { windowId: 'lost', ranges: range(40, 60), count: 20n, keyChecksum: checksumOf(keysOf(40, 60)) },
  )
  expect(await world.only('count')).toMatchObject({ matches: false, findings: ['COUNT_DIFFERS'] })
  expect(await world.only('keys')).toMatchObject({ matches: false, findings: ['KEYS_DIFFER'] })
  expect(await world.only('failed')).toMatchObject({ matches: false, findings: ['FAILED'] })
  expect(await world.only('lost')).toMatchObject({
    ...{ matches: false, findings: ['KEYS_UNKNOWN'], keysKnown: 10, keyChecksum: undefined },
    verified: { incompleteReasons: ['MISSING'], total: { missing: 10 } },
  })
})

test('keys that are not in the log are unknown and not different; those of records without one count as empty', async () => {
  const rows = [...delivered(0, 5), ...Array.from({ length: 5 }, (_, at): GivenAttempt => ({ offset: 5 + at }))]
  const unsent: GivenAttempt = { offset: 10, attempt: 0, outcome: 'SKIPPED', reason: 'OPERATOR' }
  const world = await new World().open([...rows, unsent], 11)
  const keyChecksum = checksumOf([...keysOf(0, 5), '', '', '', '', ''])
  await world.report(
    { windowId: 'empty', ranges: range(0, 10), count: 10n, keyChecksum },
    { windowId: 'unsent', ranges: range(0, 11), count: 11n, keyChecksum },
  )
  expect(await world.only('empty')).toMatchObject({ matches: true })
  expect(await world.only('unsent')).toMatchObject({ matches: false, findings: ['KEYS_UNKNOWN'], keysKnown: 10 })
})

test('a window by times becomes offsets when it is reported, and stays what it was', async () => {
  const kafka: (number | undefined)[] = [30]
  const world = await new World({ offsetsAt: (timeMs) => (timeMs === 5000 ? kafka : [70]) }).open()
  const times = { fromTime: timestampFromMs(5000), toTime: timestampFromMs(6000) }
  const [kept] = await world.report({ windowId: 'times', ...times, count: 40n })
  expect(kept).toMatchObject({ ranges: [{ fromOffset: 30n, toOffset: 70n }] })
  kafka[0] = 50
  expect(await world.only('times')).toMatchObject({ matches: true, verified: { total: { published: 40 } } })
  world.topicId = 'another'
  expect(await world.only('times')).toMatchObject({ matches: false, verified: { incompleteReasons: ['TOPIC_CHANGED'] } })
})

test('windows come by id in pages, which end where one call has counted enough', async () => {
  const world = await new World({}, { offsetsMax: 100 }).open()
  await world.report(...['c', 'a', 'd', 'b'].map((windowId) => ({ windowId, ranges: range(0, 40), count: 40n })))
  const idsOf = async (size: number, token: string, ids: string[] = []) => {
    const { reconciled, nextPageToken } = await world.page(ids, size, token)
    return [reconciled.map(({ expected }) => expected.id).join(''), nextPageToken]
  }
  expect(await idsOf(1, '')).toEqual(['a', 'a'])
  expect(await idsOf(10, '')).toEqual(['ab', 'b'])
  expect(await idsOf(10, 'b')).toEqual(['cd', ''])
  expect(await idsOf(10, '', ['d', 'nobody'])).toEqual(['d', ''])
  expect(await idsOf(10, 'd')).toEqual(['', ''])
  const small = new World({}, { offsetsMax: 39 })
  Object.assign(small, { subject: world.subject })
  await expect(small.page(['a'])).rejects.toMatchObject({
    code: 'LIMIT_EXCEEDED',
    message: expect.stringMatching(/window a has 40/),
  })
})

test('every mistake of every window is told at once, and then none is kept', async () => {
  const world = await new World({}, { windowsMax: 3 }).open()
  const wrong = world.report(
    { windowId: 'a', ranges: range(0, 200), count: 1n },
    { windowId: 'a', ranges: [{ partition: 7 }], toTime: timestampFromMs(world.nowMs + 60_000), count: 1n },
  )
  const fields = await wrong.catch(({ violations }) => violations.map((each: { field: string }) => each.field))
  expect(fields).toEqual([
    ...['windows[0].ranges[0].to_offset', 'windows[1].ranges[0].partition'],
    ...['windows[1].window_id', 'windows[1].to_time'],
  ])
  expect((await world.page()).reconciled).toEqual([])
  const many = ['a', 'b', 'c', 'd'].map((windowId) => ({ windowId, ranges: range(0, 1), count: 1n }))
  await expect(world.report(...many)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
})

test('the function of docs/verify.md for producers computes what Ferry computes', (context) => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/verify.md'), 'utf8')
  const [, code] = /<!-- tested: key_checksum.py -->\n```python\n([\s\S]*?)```/.exec(page)!
  const python = spawnSync('python3', ['-c', `${code}\nprint(key_checksum([b"k1", b"k2", b"k2", None]))`], { encoding: 'utf8' })
  if (python.error !== undefined) context.skip('there is no python3')
  expect(python.stdout.trim()).toBe(String(checksumOf(['', 'k2', 'k2', 'k1'])))
})

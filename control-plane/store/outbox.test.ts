import { create } from '@bufbuild/protobuf'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { type UseCase, UseCaseSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { type ClickHouseClient, connectClickHouse } from '../../runtime/clickhouse.ts'
import { privateStack } from '../../test/stack.ts'
import { protobufDecode, sampleDescriptorSet, sampleSpec } from '../use-cases/sample-use-case.ts'
import { newUseCase, nextRevision } from '../use-cases/use-case-state.ts'
import { AuditLog } from './audit-log.ts'
import type { ChangeAction } from './change.ts'
import { hashDescriptorSet } from './descriptor-sets.ts'
import { migrate } from './migrate.ts'
import { Outbox, type OutboxOptions } from './outbox.ts'
import { openSampleControl, type SampleControl, silentLog } from './sample-control.ts'

let stack: Awaited<ReturnType<typeof privateStack>>
let clickhouse: ClickHouseClient
let control: SampleControl
let outboxes: Outbox[] = []
let nowMs = 1_700_000_000_000

beforeAll(async () => {
  stack = await privateStack({ redis: true, clickhouse: true })
  clickhouse = connectClickHouse(stack.clickhouseUrl, 'ferry', 5000)
  await migrate({
    clickhouseUrl: stack.clickhouseUrl,
    database: 'ferry',
    statementTimeoutMs: 10_000,
    log: silentLog,
    withLock: (work) => work(),
  })
})
afterAll(async () => {
  await clickhouse?.close()
  await stack?.[Symbol.asyncDispose]()
})
beforeEach(async () => {
  control = openSampleControl(stack.redisUrl)
  await clickhouse.command({ query: 'TRUNCATE TABLE use_case_changes' })
  await clickhouse.command({ query: 'TRUNCATE TABLE descriptor_sets' })
})
afterEach(async () => {
  await Promise.all(outboxes.map((each) => each.stop()))
  outboxes = []
  await control.close()
})

const newOutbox = (over: Partial<OutboxOptions> = {}): Outbox => {
  const outbox = new Outbox({
    redis: control.redis,
    keys: control.keys,
    auditLog: new AuditLog(clickhouse, 2000),
    log: silentLog,
    term: () => 1,
    batchEntriesMax: 10,
    batchBytesMax: 1 << 20,
    intervalMs: 10,
    retryMsMax: 200,
    ...over,
  })
  outboxes.push(outbox)
  return outbox
}

async function drain(outbox: Outbox): Promise<void> {
  while ((await outbox.drainBatch()) > 0);
}

interface Row {
  readonly change_id: string | number
  readonly use_case: string
  readonly action: string
  readonly revision: string | number
}

/** Without FINAL: a row that was inserted twice is seen twice. */
async function audit(): Promise<Row[]> {
  const result = await clickhouse.query({
    query: 'SELECT change_id, use_case, action, revision FROM use_case_changes ORDER BY change_id',
    format: 'JSONEachRow',
  })
  return result.json<Row>()
}
const story = async (): Promise<string[]> => (await audit()).map((row) => `${row.use_case} ${row.action} ${row.revision}`)

async function write(action: ChangeAction, before: UseCase | undefined, after: UseCase | undefined): Promise<UseCase> {
  const result = await control.records.write({ action, actor: 'somebody', reason: '', timeMs: nowMs++, before, after })
  expect(result.kind).toBe('WRITTEN')
  return (after ?? before)!
}

let uids = 0
const register = (id: string, spec = sampleSpec()): Promise<UseCase> => {
  const uid = (uids++).toString(16).padStart(20, '0')
  return write('CREATE', undefined, newUseCase(`namespaces/team/useCases/${id}`, uid, spec, nowMs))
}
const describeAs = (current: UseCase, description: string): Promise<UseCase> =>
  write('UPDATE', current, nextRevision(current, { spec: sampleSpec({ description }) }, nowMs))

describe('the audit', () => {
  test('has every change exactly once and in order after ClickHouse was away, and no change waited for it', async () => {
    const outbox = newOutbox()
    await outbox.drainBatch()
    outbox.start()
    let current = await register('before')
    await vi.waitFor(async () => expect(await story()).toEqual(['before CREATE 1']), { timeout: 5000 })

    await stack.clickhouse.kill()
    const startedMs = performance.now()
    const told = ['before CREATE 1']
    for (let index = 0; index < 25; index++) {
      current = await describeAs(current, `number ${index}`)
      told.push(`before UPDATE ${current.revision}`)
      await register(`away-${index}`)
      told.push(`away-${index} CREATE 1`)
    }
    expect(performance.now() - startedMs).toBeLessThan(5000)
    expect(await control.redis.xlen(control.keys.outbox)).toBe(50)

    await stack.clickhouse.start()
    await vi.waitFor(async () => expect(await control.redis.xlen(control.keys.outbox)).toBe(0), { timeout: 30_000, interval: 50 })
    expect(await story()).toEqual(told)
  })

  test('has a batch once although its leader died between the insert and the removal', async () => {
    class DiesAfterInsert extends AuditLog {
      override async insertChanges(...args: Parameters<AuditLog['insertChanges']>): Promise<void> {
        await super.insertChanges(...args)
        throw new Error('killed')
      }
    }
    const dying = newOutbox({ auditLog: new DiesAfterInsert(clickhouse, 2000) })
    await dying.drainBatch()
    await register('one')
    await register('two')
    await expect(dying.drainBatch()).rejects.toThrow('killed')
    // More comes before the next leader: the batch that is on its way must stay what it was.
    await register('three')
    await drain(newOutbox({ term: () => 2 }))
    expect(await story()).toEqual(['one CREATE 1', 'two CREATE 1', 'three CREATE 1'])
    expect(await control.redis.xlen(control.keys.outbox)).toBe(0)
  })

  test('is written by two leaders at once, one of them deposed, without a repetition or a gap', async () => {
    const first = newOutbox({ batchEntriesMax: 3 })
    await first.drainBatch()
    const second = newOutbox({ term: () => 2, batchEntriesMax: 5 })
    const ids = Array.from({ length: 30 }, (_, index) => `uc-${String(index).padStart(2, '0')}`)
    for (const id of ids) await register(id)
    await first.drainBatch()
    await Promise.all([drain(first).catch(() => {}), drain(second)])
    expect(await story()).toEqual(ids.map((id) => `${id} CREATE 1`))
  })

  test('a former leader, frozen and continued, writes and removes nothing', async () => {
    const former = newOutbox()
    await former.drainBatch()
    await drain(newOutbox({ term: () => 2 }))
    await register('one')
    expect(await former.drainBatch()).toBe(0)
    expect(await story()).toEqual([])
    expect(await control.redis.xlen(control.keys.outbox)).toBe(1)
  })

  test('is not written by a replica that does not lead', async () => {
    await newOutbox().drainBatch()
    await register('one')
    expect(await newOutbox({ term: () => undefined }).drainBatch()).toBe(0)
    expect(await control.redis.xlen(control.keys.outbox)).toBe(1)
  })

  test('goes in batches bounded in entries and in bytes, of at least one change', async () => {
    const outbox = newOutbox({ batchEntriesMax: 2, batchBytesMax: 3000 })
    await outbox.drainBatch()
    for (const id of ['a', 'b', 'c']) await register(id)
    for (const id of ['big-1', 'big-2']) await register(id, sampleSpec({ description: 'x'.repeat(1000) }))
    await register('huge', sampleSpec({ destination: { url: 'http://host/', headers: { a: 'x'.repeat(4000) } } }))
    const sizes: number[] = []
    for (let size = await outbox.drainBatch(); size > 0; size = await outbox.drainBatch()) sizes.push(size)
    expect(sizes).toEqual([2, 2, 1, 1])
  })

  test('has the descriptor set of a change before the change itself', async () => {
    const outbox = newOutbox()
    await outbox.drainBatch()
    const bytes = sampleDescriptorSet()
    const sha256 = hashDescriptorSet(bytes)
    await control.descriptorSets.store(bytes)
    const decode = protobufDecode(new Uint8Array())
    const spec = sampleSpec({
      decode: { format: { ...decode.format, value: { ...decode.format.value, descriptorSetSha256: sha256 } } },
    })
    await register('one', spec)
    await register('two', spec)
    await drain(outbox)
    const auditLog = new AuditLog(clickhouse, 2000)
    expect(Buffer.from((await auditLog.readDescriptorSet(sha256))!)).toEqual(Buffer.from(bytes))
    const count = await clickhouse.query({ query: 'SELECT count() AS n FROM descriptor_sets', format: 'JSONEachRow' })
    expect(Number((await count.json<{ n: string }>())[0]!.n)).toBe(1)
  })
})

describe('when Redis has lost', () => {
  test('everything, definitions and descriptor sets come back from the audit, and the removed stay away', async () => {
    const outbox = newOutbox()
    await outbox.drainBatch()
    const bytes = sampleDescriptorSet()
    await control.descriptorSets.store(bytes)
    const value = { descriptorSetSha256: hashDescriptorSet(bytes), message: 'ferry.v1.UseCase' }
    const kept = await register('kept', sampleSpec({ decode: { format: { case: 'protobuf', value } } }))
    const changed = await describeAs(await register('changed'), 'newer')
    const removed = await register('removed')
    await write('REMOVE', removed, undefined)
    await drain(outbox)

    await control.redis.del(...Object.values(control.keys))
    const other = control.replica()
    await expect(other.readAll()).rejects.toMatchObject({ code: 'STATE_UNAVAILABLE' })
    await vi.waitFor(async () => void (await drain(outbox)), { timeout: 5000 })
    expect([...(await other.readAll()).values()].sort((a, b) => (a.name < b.name ? -1 : 1))).toEqual([changed, kept])
    expect(await other.readByUid(kept.uid)).toEqual(kept)
    expect(Buffer.from((await control.descriptorSets.read(value.descriptorSetSha256))!)).toEqual(Buffer.from(bytes))

    await describeAs(changed, 'newest')
    await drain(outbox)
    expect((await story()).slice(-2)).toEqual(['removed REMOVE 1', 'changed UPDATE 3'])
  })

  test('its last writes, the definitions of then come back, and later changes get ids of their own', async () => {
    const outbox = newOutbox()
    await outbox.drainBatch()
    const old = await register('old')
    await drain(outbox)
    const snapshot = await takeSnapshot()
    const newer = await describeAs(old, 'newer')
    const young = await register('young')
    await drain(outbox)

    await putBack(snapshot)
    expect(await control.records.read(young.name)).toBeUndefined()
    await vi.waitFor(async () => void (await drain(outbox)), { timeout: 5000 })
    expect(await control.replica().readAll()).toEqual(
      new Map([
        [old.name, newer],
        [young.name, young],
      ]),
    )

    await describeAs(newer, 'newest')
    await drain(outbox)
    expect(await story()).toEqual(['old CREATE 1', 'old UPDATE 2', 'young CREATE 1', 'old UPDATE 3'])
  })

  test('nothing, a new leader restores nothing', async () => {
    const outbox = newOutbox()
    await outbox.drainBatch()
    const first = await register('first')
    await drain(outbox)
    await describeAs(first, 'not drained yet')
    await drain(newOutbox({ term: () => 2 }))
    expect((await control.records.read(first.name))!.revision).toBe(2n)
    expect(await story()).toEqual(['first CREATE 1', 'first UPDATE 2'])
  })

  test('and the name was given to another since, the other stays', async () => {
    const outbox = newOutbox()
    await outbox.drainBatch()
    const snapshot = await takeSnapshot()
    await register('name')
    await drain(outbox)
    await putBack(snapshot)
    const other = await register('name')
    await vi.waitFor(async () => void (await drain(outbox)), { timeout: 5000 })
    expect(await control.records.read(other.name)).toEqual(create(UseCaseSchema, other))
  })
})

type Snapshot = ReadonlyMap<string, Buffer | null>

async function takeSnapshot(): Promise<Snapshot> {
  const keys = Object.values(control.keys) as string[]
  return new Map(await Promise.all(keys.map(async (key) => [key, await control.redis.dumpBuffer(key)] as const)))
}

/** What a Redis does that comes back without its last second. */
async function putBack(snapshot: Snapshot): Promise<void> {
  await control.redis.del(...snapshot.keys())
  for (const [key, dump] of snapshot) if (dump) await control.redis.restore(key, 0, dump)
}

import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { UseCase } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { type ClickHouseClient, connectClickHouse } from '../../runtime/clickhouse.ts'
import { privateStack } from '../../test/stack.ts'
import { sampleSpec } from '../use-cases/sample-use-case.ts'
import { newUseCase, nextRevision } from '../use-cases/use-case-state.ts'
import { AuditLog } from './audit-log.ts'
import type { ChangeAction } from './change.ts'
import { migrate } from './migrate.ts'
import { Outbox } from './outbox.ts'
import { restoreAll } from './restore-all.ts'
import { openSampleControl, type SampleControl, silentLog } from './sample-control.ts'

const database = 'ferry'
let stack: Awaited<ReturnType<typeof privateStack>>
let clickhouse: ClickHouseClient
let control: SampleControl
let outbox: Outbox
let nowMs = 1_700_000_000_000

beforeAll(async () => {
  stack = await privateStack({ redis: true, clickhouse: true })
  const { clickhouseUrl } = stack
  clickhouse = connectClickHouse(clickhouseUrl, database, 5000)
  await migrate({ clickhouseUrl, database, statementTimeoutMs: 10_000, log: silentLog, withLock: (work) => work() })
})
afterAll(async () => {
  await clickhouse?.close()
  await stack?.[Symbol.asyncDispose]()
})
beforeEach(async () => {
  control = openSampleControl(stack.redisUrl)
  await clickhouse.command({ query: 'TRUNCATE TABLE use_case_changes' })
  outbox = new Outbox({
    ...options(),
    term: () => 1,
    batchEntriesMax: 10,
    batchBytesMax: 1 << 20,
    intervalMs: 10,
    retryMsMax: 200,
  })
  await outbox.drainBatch()
})
afterEach(() => control.close())

const options = () => ({
  ...{ redis: control.redis, keys: control.keys, log: silentLog },
  auditLog: new AuditLog(clickhouse, 2000),
})

async function write(action: ChangeAction, before: UseCase | undefined, after: UseCase | undefined): Promise<UseCase> {
  await control.records.write({ action, actor: 'somebody', reason: '', timeMs: nowMs++, before, after })
  return (after ?? before)!
}

let uids = 0
const register = (id: string): Promise<UseCase> => {
  const uid = (uids++).toString(16).padStart(20, '0')
  return write('CREATE', undefined, newUseCase(`namespaces/team/useCases/${id}`, uid, sampleSpec(), nowMs))
}
const describeAs = (current: UseCase, description: string): Promise<UseCase> =>
  write('UPDATE', current, nextRevision(current, { spec: sampleSpec({ description }) }, nowMs))
const all = async (): Promise<UseCase[]> =>
  [...(await control.replica().readAll()).values()].sort((a, b) => (a.name < b.name ? -1 : 1))

async function drain(): Promise<void> {
  while ((await outbox.drainBatch()) > 0);
}

describe('restoring all definitions', () => {
  test('puts back one that alone is gone, which no leader would notice', async () => {
    const gone = await register('gone')
    const kept = await register('kept')
    await drain()
    await control.redis.hdel(control.keys.useCases, gone.name)
    await control.redis.hdel(control.keys.uids, gone.uid)
    await drain()
    expect(await all()).toEqual([kept])
    expect(await restoreAll(options())).toEqual([gone.name])
    expect(await all()).toEqual([gone, kept])
    expect(await control.records.readByUid(gone.uid)).toEqual(gone)
    expect(await restoreAll(options())).toEqual([])
  })

  test('puts back one that is older than the audit has it, and takes away one that was removed', async () => {
    const [changed, removed] = [await register('changed'), await register('removed')]
    const before = await control.redis.hgetall(control.keys.useCases)
    const newer = await describeAs(changed, 'newer')
    await write('REMOVE', removed, undefined)
    await drain()
    await control.redis.hset(control.keys.useCases, before)
    expect(await restoreAll(options())).toEqual([changed.name, removed.name])
    expect(await all()).toEqual([newer])
  })

  test('fills an empty Redis without a control plane, and changes are taken from then on', async () => {
    const kept = await register('kept')
    await drain()
    await control.redis.del(...Object.values(control.keys))
    expect(await restoreAll(options())).toEqual([kept.name])
    const more = await register('more')
    await drain()
    expect(await all()).toEqual([kept, more])
  })

  test('is refused while changes wait for the audit: it would put them back in time', async () => {
    await describeAs(await register('new'), 'newer')
    await expect(restoreAll(options())).rejects.toMatchObject({ code: 'LOG_UNAVAILABLE' })
    await drain()
    expect(await restoreAll(options())).toEqual([])
  })

  test('begins again when a change comes in between, and undoes none', async () => {
    const old = await register('old')
    const gone = await register('gone')
    await drain()
    await control.redis.hdel(control.keys.useCases, gone.name)
    class ChangedMeanwhile extends AuditLog {
      changed: UseCase | undefined
      override async latestSince(changeId: number) {
        const rows = await super.latestSince(changeId)
        this.changed ??= await describeAs(old, 'while it was compared')
        await drain()
        return rows
      }
    }
    const auditLog = new ChangedMeanwhile(clickhouse, 2000)
    expect(await restoreAll({ ...options(), auditLog })).toEqual([gone.name])
    expect(await all()).toEqual([gone, auditLog.changed])
  })
})

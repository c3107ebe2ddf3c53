import { create } from '@bufbuild/protobuf'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Role } from '../../proto/gen/ferry/v1/access_pb.ts'
import { TokenSchema } from '../../proto/gen/ferry/v1/token_service_pb.ts'
import { type ClickHouseClient, connectClickHouse } from '../../runtime/clickhouse.ts'
import { privateStack } from '../../test/stack.ts'
import { AuditLog } from '../store/audit-log.ts'
import { migrate } from '../store/migrate.ts'
import { Outbox } from '../store/outbox.ts'
import { restoreAll } from '../store/restore-all.ts'
import { openSampleControl, type SampleControl, silentLog } from '../store/sample-control.ts'
import { SampleAccess, wholeAdmin } from './sample-access.ts'
import { hashOf } from './token-secret.ts'

const database = 'ferry'
let stack: Awaited<ReturnType<typeof privateStack>>
let clickhouse: ClickHouseClient
let control: SampleControl

beforeAll(async () => {
  stack = await privateStack({ redis: true, clickhouse: true })
  const { clickhouseUrl } = stack
  clickhouse = connectClickHouse(clickhouseUrl, database, 5000)
  await migrate({ clickhouseUrl, database, statementTimeoutMs: 10_000, log: silentLog, withLock: (work) => work() })
  control = openSampleControl(stack.redisUrl)
})
afterAll(async () => {
  await control?.close()
  await clickhouse?.close()
  await stack?.[Symbol.asyncDispose]()
})

const options = () => ({
  ...{ redis: control.redis, keys: control.keys, log: silentLog },
  auditLog: new AuditLog(clickhouse, 2000),
})
/** As a leader of this term does: compares, and carries changes into the audit. */
const drain = (term: number) => {
  const bounds = { batchEntriesMax: 10, batchBytesMax: 1 << 20, intervalMs: 10, retryMsMax: 200 }
  return new Outbox({ ...options(), ...bounds, term: () => term }).drainBatch()
}

test('tokens come back when Redis loses its last writes, everything, or tokens alone; what was revoked stays revoked', async () => {
  await drain(1)
  const access = new SampleAccess(control)
  const token = create(TokenSchema, { role: Role.WORKER, namespaces: ['*'] })
  const hashes = new Map<string, string>()
  for (const id of ['a', 'b']) hashes.set(id, hashOf((await access.tokens.create(id, token, wholeAdmin)).secret))
  await drain(1)
  const before = await control.redis.hgetall(control.keys.tokens)
  const changes = await control.redis.hgetall(control.keys.changes)
  await access.tokens.revoke('tokens/a', '', wholeAdmin)
  await drain(1)
  const known = (id: string) => new SampleAccess(control).known.find(hashes.get(id)!).then((found) => found?.name)

  await control.redis.hset(control.keys.tokens, before)
  await control.redis.hset(control.keys.changes, changes)
  expect(await known('a')).toBe('tokens/a')
  await drain(2)
  expect([await known('a'), await known('b')]).toEqual([undefined, 'tokens/b'])

  await control.redis.del(...Object.values(control.keys))
  await drain(3)
  expect([await known('a'), await known('b')]).toEqual([undefined, 'tokens/b'])

  await control.redis.del(control.keys.tokens)
  expect(await restoreAll(options())).toEqual(['tokens/a', 'tokens/b'])
  expect([await known('a'), await known('b')]).toEqual([undefined, 'tokens/b'])
})

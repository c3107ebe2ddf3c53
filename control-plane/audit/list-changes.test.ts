import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { Role } from '../../proto/gen/ferry/v1/access_pb.ts'
import { ListChangesRequestSchema } from '../../proto/gen/ferry/v1/change_pb.ts'
import { TokenSchema } from '../../proto/gen/ferry/v1/token_service_pb.ts'
import { sharedStack } from '../../test/stack.ts'
import { SampleAccess, wholeAdmin } from '../access/sample-access.ts'
import { hashOf } from '../access/token-secret.ts'
import { openTestLog, type TestLog } from '../attempts/test-log.ts'
import { AuditLog } from '../store/audit-log.ts'
import { Outbox } from '../store/outbox.ts'
import { silentLog } from '../store/sample-control.ts'
import { SampleRegistry } from '../use-cases/sample-registry.ts'
import { sampleUseCase } from '../use-cases/sample-use-case.ts'
import { listChanges } from './list-changes.ts'
import { OperatorLog } from './operator-log.ts'

let log: TestLog
let sample: SampleRegistry
let outbox: Outbox

const orders = 'namespaces/team/useCases/orders'
const bills = 'namespaces/pay/useCases/bills'
const ann = { actor: 'tokens/ops for ann' }
const pageBytesMax = 3 << 20
const secretText = 'correct-horse-battery-staple'

const list = (
  request: MessageInitShape<typeof ListChangesRequestSchema> = {},
  namespaces?: ReadonlySet<string>,
  bytes = pageBytesMax,
) => listChanges(log.reader, create(ListChangesRequestSchema, request), namespaces, bytes)
const actions = async (...asked: Parameters<typeof list>) =>
  (await list(...asked)).changes.map(({ action, resource }) => `${action} ${resource.split('/').at(-1)}`)

beforeAll(async () => {
  log = await openTestLog()
  sample = await SampleRegistry.open((await sharedStack()).redisUrl)
  const { redis, keys } = sample.control
  outbox = new Outbox({
    ...{ redis, keys, auditLog: new AuditLog(log.clickhouse, 10_000), log: silentLog, term: () => 1 },
    ...{ batchEntriesMax: 100, batchBytesMax: 4 << 20, intervalMs: 10, retryMsMax: 200 },
  })
  await outbox.drainBatch()
  const auth = { scheme: { case: 'bearer', value: { token: { value: secretText } } } } as const
  await sample.create(sampleUseCase(orders, { destination: { url: 'http://127.0.0.1:1/', auth } }))
  sample.nowMs += 60_000
  await sample.create(sampleUseCase(bills))
  await sample.lifecycle.pause(orders, 'they asked', undefined, ann)
  const operators = new OperatorLog({ redis, keys, outboxEntriesMax: 100, nowMs: () => sample.nowMs })
  const asked = { partition: 1, fromOffset: '7' }
  await operators.write({
    ...{ action: 'SKIP_DELIVERIES', actor: 'tokens/ops', reason: 'no customer', useCase: orders, uid: 'u', asked },
  })
  sample.nowMs += 60_000
  const access = new SampleAccess(sample.control)
  access.nowMs = sample.nowMs
  await access.tokens.create('ci', create(TokenSchema, { role: Role.VIEWER, namespaces: ['team', 'pay'] }), wholeAdmin)
  await outbox.drainBatch()
})
afterAll(async () => {
  await sample?.close()
  await log?.close()
})

test('every change and every order is there, newest first, with who, when, why, before and after', async () => {
  const { changes, nextPageToken } = await list()
  expect(nextPageToken).toBe('')
  expect(changes.map(({ action, actor, resource, reason, revision }) => [action, actor, resource, reason, revision])).toEqual([
    ['CREATE_TOKEN', 'admin', 'tokens/ci', '', 0n],
    ['SKIP_DELIVERIES', 'tokens/ops', orders, 'no customer', 0n],
    ['PAUSE', 'tokens/ops for ann', orders, 'they asked', 2n],
    ['CREATE', 'somebody', bills, '', 1n],
    ['CREATE', 'somebody', orders, '', 1n],
  ])
  const [token, skip, pause, , created] = changes
  expect(JSON.parse(pause!.before).status.state).toBe('USE_CASE_STATE_ACTIVE')
  expect(JSON.parse(pause!.after).status).toMatchObject({ state: 'USE_CASE_STATE_PAUSED', pauseReason: 'they asked' })
  expect([created!.before, JSON.parse(created!.after).name]).toEqual(['', orders])
  expect(JSON.parse(skip!.after)).toEqual({ partition: 1, fromOffset: '7' })
  expect(JSON.parse(token!.after)).toMatchObject({ name: 'tokens/ci', role: 'ROLE_VIEWER', namespaces: ['pay', 'team'] })
  expect(pause!.changeTime).toEqual(timestampFromMs(sample.nowMs - 60_000))
})

test('nothing that is sealed, and no hash, is shown', async () => {
  const texts = (await list()).changes.map(({ before, after }) => before + after).join()
  expect(texts).not.toContain(secretText)
  expect(texts).not.toContain(hashOf(''))
  expect(texts).not.toContain('sha256":"')
  const [row] = await log.reader.select<{ after: string }>({
    ...{ sql: `SELECT after FROM use_case_changes WHERE action = 'CREATE' ORDER BY change_id LIMIT 1`, params: {}, narrow: '' },
  })
  const sealed = /"ref":"([^"]+)"/.exec(row!.after)![1]!
  expect(sealed.split('.')).toHaveLength(4)
  expect(texts).not.toContain(sealed)
  expect(texts).toContain(sealed.split('.')[0])
})

test('it is selected by use case, by who, by time and by action', async () => {
  expect(await actions({ useCase: orders })).toEqual(['SKIP_DELIVERIES orders', 'PAUSE orders', 'CREATE orders'])
  expect(await actions({ actor: 'tokens/ops' })).toEqual(['SKIP_DELIVERIES orders', 'PAUSE orders'])
  expect(await actions({ actor: 'tokens/ops for ann' })).toEqual(['PAUSE orders'])
  expect(await actions({ actor: 'tokens/op' })).toEqual([])
  expect(await actions({ actions: ['CREATE', 'CREATE_TOKEN'] })).toEqual(['CREATE_TOKEN ci', 'CREATE bills', 'CREATE orders'])
  const at = (ms: number) => timestampFromMs(sample.nowMs - ms)
  expect(await actions({ fromTime: at(60_000), toTime: at(0) })).toEqual([
    'SKIP_DELIVERIES orders',
    'PAUSE orders',
    'CREATE bills',
  ])
  expect(await actions({ fromTime: at(0) })).toEqual(['CREATE_TOKEN ci'])
  await expect(list({ fromTime: at(0), toTime: at(0) })).rejects.toMatchObject({
    ...{ code: 'INVALID_REQUEST', violations: [{ field: 'to_time', reason: 'TIME_ORDER' }] },
  })
})

test('whoever has some namespaces sees what belongs to them, and nothing of none', async () => {
  expect(await actions({}, new Set(['pay']))).toEqual(['CREATE bills'])
  expect(await actions({}, new Set(['team', 'other']))).toEqual(['SKIP_DELIVERIES orders', 'PAUSE orders', 'CREATE orders'])
  expect(await actions({}, new Set())).toEqual([])
  expect(await actions({ useCase: orders }, new Set(['pay']))).toEqual([])
})

test('pages are bounded in rows and bytes, and go on where the last one ended', async () => {
  for (const [pageSize, bytes] of [
    [2, pageBytesMax],
    [0, 1],
  ] as const) {
    const seen: string[] = []
    let pageToken = ''
    let pages = 0
    do {
      const page = await list({ pageSize, pageToken }, undefined, bytes)
      seen.push(...page.changes.map(({ id }) => String(id)))
      pageToken = page.nextPageToken
      pages++
    } while (pageToken !== '')
    expect([pages, new Set(seen).size, seen.length]).toEqual([pageSize === 2 ? 3 : 5, 5, 5])
    expect(seen).toEqual([...seen].sort().reverse())
  }
  const { nextPageToken } = await list({ pageSize: 1 })
  await expect(list({ pageSize: 1, pageToken: nextPageToken, useCase: orders })).rejects.toMatchObject({
    code: 'INVALID_PAGE_TOKEN',
  })
})

test('an order is refused when it could not be written down', async () => {
  const { redis, keys } = sample.control
  const order = { action: 'TEST', actor: 'a', reason: '', useCase: orders, uid: '', asked: {} } as const
  const operators = (outboxEntriesMax: number, changes = keys.changes) =>
    new OperatorLog({ redis, keys: { changes, outbox: keys.outbox }, outboxEntriesMax, nowMs: Date.now })
  await expect(operators(0).write(order)).rejects.toMatchObject({ code: 'LIMIT_EXCEEDED' })
  await expect(operators(1, `${keys.changes}-none`).write(order)).rejects.toMatchObject({ code: 'STATE_UNAVAILABLE' })
})

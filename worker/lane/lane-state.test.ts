import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { type LaneId, laneKeys, writeInboxItem, writeOrder, writeParked } from '../../runtime/lane-keys.ts'
import type { Logger } from '../../runtime/log.ts'
import { connectRedis, type Redis } from '../../runtime/redis.ts'
import { sharedStack } from '../../test/stack.ts'
import { type Checkpoint, LaneState, RefusedError } from './lane-state.ts'

let redis: Redis
let id: LaneId

beforeAll(async () => {
  redis = connectRedis((await sharedStack()).redisUrl, 3000, { warn: () => {} } as unknown as Logger)
  await redis.ping()
})
afterAll(() => redis?.disconnect())
beforeEach(() => {
  id = { uid: crypto.randomUUID(), cluster: 'default', topic: 't', partition: 3 }
})

const register = (cursor = 0): Promise<unknown> =>
  redis.hset(laneKeys(id).lane, { epoch: 0, owner: '', version: 1, cursor, ended: '', saved: 5, clean: 1, credit: '', writer: 0 })

const checkpoint = (over: Partial<Checkpoint> = {}): Checkpoint => ({
  ...{ cursor: 4, ended: '6-7,9-9', savedMs: 1000, clean: false, credit: 12, policyId: 'a', parked: [], removed: [], taken: [] },
  ...over,
})

const entry = writeParked({
  ...{ state: 'P', keyHash: 2 ** 52 + 1, attempts: 2, unpaid: 1, firstMs: 10, lastMs: 20, dueMs: 30, round: 0 },
  ...{ bytes: 3, where: 'R', batch: undefined, stale: false, newKey: false },
})

describe('claim', () => {
  test('takes a registered lane, and answers its state with `clean` as it was', async () => {
    await register(7)
    const state = new LaneState(redis, id, 100, 'one')
    expect(await state.claim(5000)).toEqual({
      ...{
        cursor: 7,
        version: 1,
        ended: [],
        savedMs: 5,
        clean: true,
        credit: undefined,
        writer: 0,
        policyId: undefined,
        parked: new Map(),
      },
    })
    expect(await redis.hmget(laneKeys(id).lane, 'epoch', 'owner', 'clean')).toEqual(['100', 'one', null])
    // Its answer may have been lost.
    expect((await state.claim(5000)).clean).toBe(false)
  })

  test('is refused unless the epoch is above the stored one, and says which that is', async () => {
    await register()
    await new LaneState(redis, id, 100, 'one').claim(5000)
    const refusals = await Promise.all(
      [new LaneState(redis, id, 99, 'two'), new LaneState(redis, id, 100, 'two')].map((each) =>
        each.claim(5000).catch((error: unknown) => error),
      ),
    )
    for (const error of refusals) {
      expect(error).toBeInstanceOf(RefusedError)
      expect((error as RefusedError).seenEpoch).toBe(100)
    }
  })

  test('of the same epoch is refused once a checkpoint has followed it', async () => {
    await register()
    const state = new LaneState(redis, id, 100, 'one')
    await state.claim(5000)
    await state.checkpoint(checkpoint())
    await expect(state.claim(5000)).rejects.toBeInstanceOf(RefusedError)
  })

  test('of a lane that Redis has lost answers no position', async () => {
    const stored = await new LaneState(redis, id, 1_795_560_093_394, 'one').claim(5000)
    expect(stored).toMatchObject({ cursor: undefined, version: 0, clean: false })
  })

  test('by a clock that is behind the last owner’s lets the next one ask the log from that time', async () => {
    await register()
    const one = new LaneState(redis, id, 100, 'one')
    await one.claim(1000)
    await one.checkpoint(checkpoint({}))
    expect((await new LaneState(redis, id, 101, 'two').claim(400)).savedMs).toBe(1000)
    expect((await new LaneState(redis, id, 102, 'three').claim(2000)).savedMs).toBe(400)
  })

  test('brings back what checkpoints have stored', async () => {
    await register()
    const one = new LaneState(redis, id, 100, 'one')
    await one.claim(5000)
    const parked = [5, 8].map((offset) => ({ offset, entry, bytes: Buffer.from([0, 255, offset]) }))
    await one.checkpoint(checkpoint({ parked }))
    await one.checkpoint(checkpoint({ removed: [5], clean: true, credit: 0 }))
    const two = new LaneState(redis, id, 101, 'two')
    const stored = await two.claim(5000)
    expect(stored).toMatchObject({ cursor: 4, version: 3, savedMs: 1000, clean: true, credit: 0, writer: 100 })
    expect(stored.ended).toEqual([
      { first: 6, last: 7 },
      { first: 9, last: 9 },
    ])
    expect([...stored.parked]).toMatchObject([[8, { keyHash: 2 ** 52 + 1, attempts: 2, unpaid: 1, dueMs: 30 }]])
    expect(await two.bytes([5, 8])).toEqual([undefined, Buffer.from([0, 255, 8])])
  })
})

describe('checkpoint', () => {
  test('is refused when the lane is another owner’s, when its version is another, and when Redis has lost the lane', async () => {
    await register()
    const one = new LaneState(redis, id, 100, 'one')
    await one.claim(5000)
    await one.checkpoint(checkpoint())
    const rolledBack = await redis.hgetall(laneKeys(id).lane)
    await one.checkpoint(checkpoint({ cursor: 5 }))
    await redis.hset(laneKeys(id).lane, rolledBack)
    await expect(one.checkpoint(checkpoint({ cursor: 6 }))).rejects.toBeInstanceOf(RefusedError)
    expect(await redis.hget(laneKeys(id).lane, 'cursor')).toBe('4')
    await new LaneState(redis, id, 101, 'two').claim(5000)
    const refusal = await one.checkpoint(checkpoint()).catch((error: unknown) => error)
    expect((refusal as RefusedError).seenEpoch).toBe(101)
    await redis.del(laneKeys(id).lane)
    await expect(one.checkpoint(checkpoint())).rejects.toBeInstanceOf(RefusedError)
    expect(await redis.exists(laneKeys(id).lane)).toBe(0)
  })

  test('that is sent twice, because its answer was lost, is accepted once', async () => {
    await register()
    const one = new LaneState(redis, id, 100, 'one')
    await one.claim(5000)
    await one.checkpoint(checkpoint({ cursor: 5 }))
    const { version } = one
    one.version--
    await one.checkpoint(checkpoint({ cursor: 5 }))
    expect(one.version).toBe(version)
    expect(await redis.hget(laneKeys(id).lane, 'version')).toBe(String(version))
    // An older one is not.
    await one.checkpoint(checkpoint({ cursor: 6 }))
    one.version -= 2
    await expect(one.checkpoint(checkpoint({ cursor: 5 }))).rejects.toBeInstanceOf(RefusedError)
  })

  test('takes all that the inbox holds for an offset, and says what is left', async () => {
    await register()
    const { inbox } = laneKeys(id)
    const item = { batch: 'b1', round: 0, stale: false }
    const order = { kind: 'SKIP', first: 3, last: 9, reason: 'a poison record,\nas they say' } as const
    const orders = new Map([['order:1', order]])
    await redis.hset(inbox, {
      5: writeInboxItem(item),
      9: `${writeInboxItem(item)},${writeInboxItem({ ...item, batch: 'b2' })}`,
      'cancel:b3': '1',
      'order:1': writeOrder(order),
    })
    const one = new LaneState(redis, id, 100, 'one')
    await one.claim(5000)
    expect(one.inboxCount).toBe(4)
    expect(await one.inbox(1, () => true)).toEqual({ items: new Map([[5, [item]]]), cancelled: ['b3'], orders })
    const nine = [item, { ...item, batch: 'b2' }]
    expect(await one.inbox(10, (offset) => offset > 5)).toEqual({ items: new Map([[9, nine]]), cancelled: ['b3'], orders })
    await one.checkpoint(checkpoint({ taken: ['9', 'cancel:b3', 'order:1'] }))
    expect(one.inboxCount).toBe(1)
    expect(await redis.hkeys(inbox)).toEqual(['5'])
  })
})

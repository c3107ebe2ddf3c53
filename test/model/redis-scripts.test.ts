import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { expel } from '../../control-plane/fleet/expel.ts'
import { LaneStore } from '../../control-plane/fleet/lane-store.ts'
import { enqueue as enqueueInRedis } from '../../control-plane/retry-batches/enqueue.ts'
import { type LaneId, laneKeys, leaseKey, writeParked } from '../../runtime/lane-keys.ts'
import type { Logger } from '../../runtime/log.ts'
import { connectRedis, type Redis } from '../../runtime/redis.ts'
import { type Checkpoint, LaneState, RefusedError, type StoredLane } from '../../worker/lane/lane-state.ts'
import { sharedStack } from '../stack.ts'
import { checkpoint, claim, emptyHashes, enqueue, firstState, type LaneHashes } from './redis-scripts.ts'

// The scripts themselves, on a real Redis, and what the model says they do: the same random words to both, all answers and
// everything that is stored compared after each.

let redis: Redis
beforeAll(async () => {
  redis = connectRedis((await sharedStack()).redisUrl, 3000, { warn: () => {} } as unknown as Logger)
  await redis.ping()
})
afterAll(() => redis?.disconnect())

type Word =
  | { readonly kind: 'register'; readonly start: number }
  | { readonly kind: 'claim'; readonly who: number; readonly nowMs: number }
  | {
      readonly kind: 'checkpoint'
      readonly who: number
      readonly given: Checkpoint
      readonly isRepeated: boolean
      readonly back: number
    }
  | {
      readonly kind: 'enqueue'
      readonly batch: string
      readonly lap: number
      readonly offsets: readonly number[]
      readonly round: number
      readonly inboxMax: number
      readonly handedMax: number | undefined
    }
  | { readonly kind: 'save' | 'rollBack' | 'flush' }

const offset = fc.nat({ max: 4 })
const offsets = fc.uniqueArray(offset, { maxLength: 3 })
const entryOf = (round: number): string =>
  writeParked({
    ...{ state: 'P', keyHash: undefined, attempts: 1, unpaid: 0, firstMs: 1, lastMs: 2, dueMs: 3, round },
    ...{ bytes: 0, where: 'K', batch: undefined, stale: false, newKey: false },
  })
const parked = fc.record({
  offset,
  entry: fc.constantFrom(0, 1, 2).map(entryOf),
  bytes: fc.option(fc.constant(Buffer.from([0, 255, 7])), { nil: undefined }),
})
const given: fc.Arbitrary<Checkpoint> = fc.record({
  ...{ cursor: offset, ended: fc.constantFrom('', '2-3', '1-1,4-9'), savedMs: fc.nat({ max: 3 }), clean: fc.boolean() },
  ...{
    credit: fc.nat({ max: 3 }),
    policyId: fc.constantFrom('a', 'b'),
    parked: fc.array(parked, { maxLength: 2 }),
    removed: offsets,
    taken: offsets.map((all) => all.map(String)),
  },
})
const word: fc.Arbitrary<Word> = fc.oneof(
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('register' as const), start: offset }) },
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('claim' as const), who: fc.nat({ max: 3 }), nowMs: fc.nat({ max: 3 }) }),
  },
  {
    weight: 8,
    arbitrary: fc.record({
      ...{ kind: fc.constant('checkpoint' as const), who: fc.nat({ max: 3 }), given, isRepeated: fc.boolean() },
      back: fc.constantFrom(0, 0, 0, 1, 2),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      ...{
        kind: fc.constant('enqueue' as const),
        batch: fc.constantFrom('b1', 'b2'),
        lap: fc.nat({ max: 2 }),
        round: fc.nat({ max: 2 }),
      },
      offsets: offsets.map((all) => [...all].sort((a, b) => a - b)),
      ...{ inboxMax: fc.constantFrom(1, 2, 100), handedMax: fc.constantFrom(undefined, undefined, 2) },
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('save' as const, 'rollBack' as const, 'flush' as const) }) },
)

/** Four owners, two of an epoch, of one lane in Redis and in the model. */
class Pair {
  readonly #id: LaneId = { uid: crypto.randomUUID(), cluster: 'default', topic: 't', partition: 0 }
  readonly #owners = [0, 1, 2, 3].map((who) => ({ epoch: 5 + (who >> 1), owner: `w${who}` }))
  readonly #states = this.#owners.map(({ epoch, owner }) => new LaneState(redis, this.#id, epoch, owner))
  #model = emptyHashes()
  #saved = emptyHashes()

  async say(next: Word): Promise<void> {
    if (next.kind === 'register') await this.#register(next.start)
    else if (next.kind === 'claim') await this.#claim(next.who, next.nowMs)
    else if (next.kind === 'checkpoint') await this.#checkpoint(next)
    else if (next.kind === 'enqueue') await this.#enqueue(next)
    else if (next.kind === 'save') this.#saved = structuredClone(this.#model)
    else await this.#put(next.kind === 'flush' ? emptyHashes() : structuredClone(this.#saved))
    expect(this.#model).toEqual(await this.#stored())
  }

  async #register(start: number): Promise<void> {
    const written = await new LaneStore(redis).writeFirstState(this.#id, start, 0)
    const isNew = this.#model.lane['epoch'] === undefined && this.#model.lane['cursor'] === undefined
    expect(written).toBe(isNew)
    if (isNew) this.#model = { ...this.#model, lane: { ...this.#model.lane, ...firstState(start).lane } }
  }

  async #claim(who: number, nowMs: number): Promise<void> {
    const state = this.#states[who]!
    const real: StoredLane | { seenEpoch: number } = await state.claim(nowMs).catch(refusal)
    const said = claim(this.#model, this.#owners[who]!, nowMs)
    if (said.kind === 'REFUSED' || 'seenEpoch' in real) expect(real).toEqual({ seenEpoch: (said as { epoch?: number }).epoch })
    else {
      expect(state.inboxCount).toBe(said.inboxCount)
      expect(real).toMatchObject({ version: Number(said.lane['version'] ?? 0), clean: said.lane['clean'] === '1' })
      expect(real.parked.size).toBe(Object.keys(said.parked).length)
    }
  }

  async #checkpoint({ who, given: content, isRepeated, back }: Extract<Word, { kind: 'checkpoint' }>): Promise<void> {
    const state = this.#states[who]!
    state.version = Math.max(0, state.version - back)
    for (let times = isRepeated ? 2 : 1; times > 0; times--) {
      const { version } = state
      const real = await state.checkpoint(content).catch(refusal)
      const said = checkpoint(this.#model, this.#owners[who]!, version, content)
      if (said.kind === 'REFUSED') expect(real).toEqual({ seenEpoch: said.epoch })
      else
        expect({ version: state.version, inboxCount: state.inboxCount }).toEqual({
          version: said.version,
          inboxCount: said.inboxCount,
        })
      // Its answer is lost, and the same is sent again.
      if (times === 2) state.version = version
    }
  }

  async #enqueue({ batch, lap, offsets: all, round, inboxMax, handedMax }: Extract<Word, { kind: 'enqueue' }>): Promise<void> {
    const items = all.map((each) => ({ offset: each, round, stale: false }))
    const handover = { batch, lap, items, inboxMax, handedMax }
    const real = await enqueueInRedis(redis, this.#id, handover)
    const { full, ...said } = enqueue(this.#model, handover)
    expect(real).toEqual(said.kind === 'NO_LANE' ? said : { ...said, inboxFull: full })
  }

  async #stored(): Promise<LaneHashes> {
    const { lane, parked: waiting, bytes, inbox } = laneKeys(this.#id)
    const packed = Object.entries(await redis.hgetallBuffer(bytes)).map(([field, value]) => [field, value.toString('latin1')])
    return {
      ...{ lane: await redis.hgetall(lane), parked: await redis.hgetall(waiting), bytes: Object.fromEntries(packed) },
      inbox: await redis.hgetall(inbox),
    }
  }

  async #put(hashes: LaneHashes): Promise<void> {
    this.#model = hashes
    for (const [name, key] of Object.entries(laneKeys(this.#id))) {
      await redis.del(key)
      const hash = hashes[name as keyof LaneHashes]
      const values = Object.entries(hash).flatMap(([field, value]) => [field, Buffer.from(value, 'latin1')])
      if (values.length > 0) await redis.hset(key, ...values)
    }
  }
}

const refusal = (error: unknown): { seenEpoch: number } => {
  if (!(error instanceof RefusedError)) throw error
  return { seenEpoch: error.seenEpoch }
}

test('the scripts of claim, checkpoint, enqueue and registration do what the model says', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(word, { minLength: 10, maxLength: 40 }), async (words) => {
      const pair = new Pair()
      for (const next of words) await pair.say(next)
    }),
    { numRuns: 60 },
  )
})

test('an expel wins only over a lease that has run out', async () => {
  const [held, gone] = [crypto.randomUUID(), crypto.randomUUID()]
  await redis.set(leaseKey(held), 'alive', 'PX', 60_000)
  expect(await expel(redis, held, 60_000)).toBeGreaterThan(0)
  expect(await expel(redis, gone, 60_000)).toBe(0)
  expect(await redis.get(leaseKey(gone))).toBe('expelled')
})

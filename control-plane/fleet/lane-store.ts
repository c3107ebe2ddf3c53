import { type LaneId, laneKeys } from '../../runtime/lane-keys.ts'
import { defineScript, type Redis, runMany } from '../../runtime/redis.ts'
import type { StoredFence } from './found-lane.ts'

/** KEYS lane  ARGV start, clock ms. Only where there is neither: a lane that a worker is rebuilding has its fence already. */
const firstStateScript = defineScript(`
if redis.call('HEXISTS', KEYS[1], 'epoch') == 1 or redis.call('HEXISTS', KEYS[1], 'cursor') == 1 then return 0 end
redis.call('HSET', KEYS[1], 'epoch', 0, 'owner', '', 'version', 1, 'cursor', ARGV[1], 'ended', '', 'saved', ARGV[2],
  'clean', 1, 'credit', '', 'writer', 0)
return 1
`)

/** Version that the first state has; the first START names it. */
export const firstVersion = 1

export interface LaneHead extends StoredFence {
  /** Undefined: Redis has lost the lane's position, and a worker is rebuilding it. */
  readonly cursor: number | undefined
}

const lanesPerPipeline = 200

/** Lane state in Redis as far as the control plane writes and reads it; the fields are those of docs/state.md. */
export class LaneStore {
  readonly #redis: Redis

  constructor(redis: Redis) {
    this.#redis = redis
  }

  /** Undefined where Redis knows nothing at all. */
  async readHeads(lanes: readonly LaneId[]): Promise<(LaneHead | undefined)[]> {
    const heads: (LaneHead | undefined)[] = []
    for (const [epoch, owner, cursor] of await this.#hmget(lanes, ['epoch', 'owner', 'cursor'])) {
      if (epoch == null && cursor == null) heads.push(undefined)
      else heads.push({ epoch: Number(epoch ?? 0), owner: owner ?? '', cursor: cursor == null ? undefined : Number(cursor) })
    }
    return heads
  }

  /** Answers false when the lane had state already. */
  async writeFirstState(lane: LaneId, start: number, wallMs: number): Promise<boolean> {
    return Number(await firstStateScript(this.#redis, [laneKeys(lane).lane], [start, Math.floor(wallMs)])) === 1
  }

  /** Deliveries that wait in each lane. */
  async countParked(lanes: readonly LaneId[]): Promise<number[]> {
    const counts: number[] = []
    for (let at = 0; at < lanes.length; at += lanesPerPipeline) {
      const page = lanes.slice(at, at + lanesPerPipeline)
      const answers = await runMany(
        this.#redis,
        page.map((lane) => ['hlen', laneKeys(lane).parked]),
      )
      counts.push(...(answers as number[]))
    }
    return counts
  }

  /** Offsets of everything that waits, ascending. */
  async parkedOffsets(lane: LaneId): Promise<number[]> {
    const offsets: number[] = []
    let cursor = '0'
    do {
      const [next, fields] = await this.#redis.hscan(laneKeys(lane).parked, cursor, 'COUNT', 1000)
      for (let at = 0; at < fields.length; at += 2) offsets.push(Number(fields[at]))
      cursor = next
    } while (cursor !== '0')
    return [...new Set(offsets)].sort((a, b) => a - b)
  }

  /** Packed records of parked deliveries; undefined where Redis keeps the offset only. */
  async packedRecords(lane: LaneId, offsets: readonly number[]): Promise<(Buffer | undefined)[]> {
    const found = await this.#redis.hmgetBuffer(laneKeys(lane).bytes, ...offsets.map(String))
    return found.map((each) => each ?? undefined)
  }

  async remove(lane: LaneId): Promise<void> {
    const { lane: head, parked, bytes, inbox } = laneKeys(lane)
    await this.#redis.unlink(head, parked, bytes, inbox)
  }

  async #hmget(lanes: readonly LaneId[], fields: readonly string[]): Promise<(string | null)[][]> {
    const rows: (string | null)[][] = []
    for (let at = 0; at < lanes.length; at += lanesPerPipeline) {
      const page = lanes.slice(at, at + lanesPerPipeline)
      const answers = await runMany(
        this.#redis,
        page.map((lane) => ['hmget', laneKeys(lane).lane, ...fields]),
      )
      rows.push(...(answers as (string | null)[][]))
    }
    return rows
  }
}

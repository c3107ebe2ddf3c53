import {
  type InboxItem,
  type LaneId,
  type LaneKeys,
  type LaneOrder,
  laneKeys,
  orderPrefix,
  type ParkedEntry,
  type Run,
  readInbox,
  readOrder,
  readParked,
  readRuns,
} from '../../runtime/lane-keys.ts'
import { defineScript, type Redis, requireConnection } from '../../runtime/redis.ts'

// The fence. claim takes a lane for one epoch; checkpoint writes only while nobody else has: epoch, owner and version are
// compared for equality, so neither another owner nor a Redis that lost its last writes goes unnoticed.

const claimScript = defineScript(`
local lane = redis.call('HMGET', KEYS[1], 'epoch', 'owner', 'claimed', 'saved')
local epoch = tonumber(lane[1] or '-1')
if tonumber(ARGV[1]) <= epoch and not (lane[1] == ARGV[1] and lane[2] == ARGV[2] and lane[3] == '1') then
  return {'REFUSED', lane[1]}
end
local state = redis.call('HGETALL', KEYS[1])
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'owner', ARGV[2], 'claimed', '1')
redis.call('HSETNX', KEYS[1], 'version', '0')
redis.call('HDEL', KEYS[1], 'clean')
-- Rows of an owner whose clock is behind the last one's are to be found, too, when it dies before its first checkpoint.
if tonumber(lane[4] or '0') > tonumber(ARGV[3]) then redis.call('HSET', KEYS[1], 'saved', ARGV[3]) end
return {'CLAIMED', state, redis.call('HGETALL', KEYS[2]), redis.call('HLEN', KEYS[4])}
`)

const checkpointScript = defineScript(`
local lane = redis.call('HMGET', KEYS[1], 'epoch', 'owner', 'version', 'last')
if lane[1] ~= ARGV[1] or lane[2] ~= ARGV[2] then return {'REFUSED', lane[1], lane[3]} end
if lane[3] ~= ARGV[3] then
  if lane[4] == ARGV[4] then return {'ACCEPTED', lane[3], redis.call('HLEN', KEYS[4])} end
  return {'REFUSED', lane[1], lane[3]}
end
local version = tonumber(ARGV[3]) + 1
redis.call('HSET', KEYS[1], 'version', version, 'last', ARGV[4], 'cursor', ARGV[5], 'ended', ARGV[6], 'saved', ARGV[7],
  'clean', ARGV[8], 'credit', ARGV[9], 'writer', ARGV[1], 'claimed', '0', 'policy', ARGV[13])
local at = 14
for i = 1, tonumber(ARGV[10]) do
  redis.call('HSET', KEYS[2], ARGV[at], ARGV[at + 1])
  if ARGV[at + 2] ~= '' then redis.call('HSET', KEYS[3], ARGV[at], ARGV[at + 2]) end
  at = at + 3
end
for i = 1, tonumber(ARGV[11]) do
  redis.call('HDEL', KEYS[2], ARGV[at])
  redis.call('HDEL', KEYS[3], ARGV[at])
  at = at + 1
end
for i = 1, tonumber(ARGV[12]) do
  redis.call('HDEL', KEYS[4], ARGV[at])
  at = at + 1
end
return {'ACCEPTED', version, redis.call('HLEN', KEYS[4])}
`)

/** What Redis knows of a lane at its claim. */
export interface StoredLane {
  /** Undefined: Redis knows no position, the lane's state is lost. */
  readonly cursor: number | undefined
  readonly version: number
  readonly ended: readonly Run[]
  readonly savedMs: number
  readonly clean: boolean
  /** Undefined: full. */
  readonly credit: number | undefined
  /** Epoch of the last accepted checkpoint. */
  readonly writer: number
  /** The retry policy by which what waits was planned. */
  readonly policyId: string | undefined
  readonly parked: ReadonlyMap<number, ParkedEntry>
}

export interface Checkpoint {
  readonly cursor: number
  readonly ended: string
  /** All attempts before are durable in the log: the next owner asks from here on. */
  readonly savedMs: number
  readonly clean: boolean
  readonly credit: number
  readonly policyId: string
  readonly parked: readonly { readonly offset: number; readonly entry: string; readonly bytes: Buffer | undefined }[]
  readonly removed: readonly number[]
  /** Inbox fields that are dealt with. */
  readonly taken: readonly string[]
}

export interface Inbox {
  readonly items: ReadonlyMap<number, readonly InboxItem[]>
  readonly cancelled: readonly string[]
  /** By inbox field. */
  readonly orders: ReadonlyMap<string, LaneOrder>
}

export class RefusedError extends Error {
  /** The highest epoch that Redis showed. */
  readonly seenEpoch: number
  constructor(message: string, seenEpoch: number) {
    super(message)
    this.seenEpoch = seenEpoch
  }
}

export class LaneState {
  readonly #redis: Redis
  readonly #keys: LaneKeys
  readonly #epoch: number
  readonly #owner: string
  /** Version of the last accepted checkpoint. */
  version = 0
  /** Fields in the lane's inbox, as the last answer told. */
  inboxCount = 0

  constructor(redis: Redis, id: LaneId, epoch: number, owner: string) {
    this.#redis = redis
    this.#keys = laneKeys(id)
    this.#epoch = epoch
    this.#owner = owner
  }

  get #names(): string[] {
    return [this.#keys.lane, this.#keys.parked, this.#keys.bytes, this.#keys.inbox]
  }

  /** From here on nothing of an earlier owner is accepted. Throws RefusedError when the epoch is not above the stored one. */
  async claim(nowMs: number): Promise<StoredLane> {
    requireConnection(this.#redis)
    const answer = (await claimScript(this.#redis, this.#names, [this.#epoch, this.#owner, nowMs])) as [
      Buffer,
      Buffer & Buffer[],
      Buffer[],
      number,
    ]
    if (String(answer[0]) === 'REFUSED') throw new RefusedError(`the lane is held with epoch ${answer[1]}`, Number(answer[1]))
    const stored = readStored(pairs(answer[1]), pairs(answer[2]))
    this.version = stored.version
    this.inboxCount = answer[3]
    return stored
  }

  /** Writes a checkpoint; throws RefusedError when the lane is another's or Redis has lost writes. Any other error: it may or may not be written, send the SAME again. */
  async checkpoint(checkpoint: Checkpoint): Promise<void> {
    requireConnection(this.#redis)
    const { parked, removed, taken } = checkpoint
    const args: (string | number | Buffer)[] = [this.#epoch, this.#owner, this.version, `${this.#epoch}:${this.version}`]
    args.push(checkpoint.cursor, checkpoint.ended, checkpoint.savedMs, checkpoint.clean ? 1 : 0, checkpoint.credit)
    args.push(parked.length, removed.length, taken.length, checkpoint.policyId)
    for (const each of parked) args.push(each.offset, each.entry, each.bytes ?? '')
    args.push(...removed, ...taken)
    const answer = (await checkpointScript(this.#redis, this.#names, args)) as [Buffer, Buffer | number, Buffer | number]
    if (String(answer[0]) === 'REFUSED') {
      throw new RefusedError(
        `Redis has epoch ${answer[1]}, version ${answer[2]}, not ${this.#epoch}, ${this.version}`,
        Number(answer[1] ?? 0),
      )
    }
    this.version = Number(answer[1])
    this.inboxCount = Number(answer[2])
  }

  /** Packed bytes of parked deliveries; undefined where Redis has none. */
  async bytes(offsets: readonly number[]): Promise<(Buffer | undefined)[]> {
    requireConnection(this.#redis)
    const found = await this.#redis.hmgetBuffer(this.#keys.bytes, ...offsets.map(String))
    return found.map((each) => each ?? undefined)
  }

  /** What retry batches and operators have brought: all that is to be withdrawn or done, and the items of the lowest offsets that `wanted` takes. */
  async inbox(itemsMax: number, wanted: (offset: number) => boolean): Promise<Inbox> {
    requireConnection(this.#redis)
    const fields = await this.#redis.hkeys(this.#keys.inbox)
    const cancelled = fields.filter((field) => field.startsWith(CANCEL)).map((field) => field.slice(CANCEL.length))
    const orderFields = fields.filter((field) => field.startsWith(orderPrefix))
    const offsets = fields.filter((field) => !field.startsWith(CANCEL) && !field.startsWith(orderPrefix)).map(Number)
    const page = offsets.filter(wanted).sort((a, b) => a - b)
    page.length = Math.min(page.length, itemsMax)
    const items = new Map<number, InboxItem[]>()
    if (page.length > 0) {
      const texts = await this.#redis.hmget(this.#keys.inbox, ...page.map(String))
      for (const [at, text] of texts.entries()) if (text !== null) items.set(page[at]!, readInbox(text))
    }
    return { items, cancelled, orders: await this.#orders(orderFields) }
  }

  async #orders(fields: readonly string[]): Promise<Map<string, LaneOrder>> {
    const orders = new Map<string, LaneOrder>()
    const page = fields.slice(0, ORDERS_MAX)
    if (page.length === 0) return orders
    const texts = await this.#redis.hmget(this.#keys.inbox, ...page)
    for (const [at, text] of texts.entries()) {
      const order = readOrder(text ?? '')
      if (order !== undefined) orders.set(page[at]!, order)
    }
    return orders
  }
}

/** The fields of `:lane` and `:parked`. */
export function readStored(fields: ReadonlyMap<string, string>, entries: ReadonlyMap<string, string>): StoredLane {
  const parked = new Map<number, ParkedEntry>()
  for (const [offset, text] of entries) parked.set(Number(offset), readParked(text))
  const cursor = fields.get('cursor')
  const credit = fields.get('credit')
  return {
    cursor: cursor === undefined ? undefined : Number(cursor),
    version: Number(fields.get('version') ?? 0),
    ended: readRuns(fields.get('ended') ?? ''),
    savedMs: Number(fields.get('saved') ?? 0),
    clean: fields.get('clean') === '1',
    credit: credit === undefined || credit === '' ? undefined : Number(credit),
    writer: Number(fields.get('writer') ?? 0),
    policyId: fields.get('policy'),
    parked,
  }
}

const CANCEL = 'cancel:'
/** Orders that are looked at in one go. */
const ORDERS_MAX = 100

function pairs(list: readonly Buffer[]): Map<string, string> {
  const map = new Map<string, string>()
  for (let i = 0; i < list.length; i += 2) map.set(String(list[i]), String(list[i + 1]))
  return map
}

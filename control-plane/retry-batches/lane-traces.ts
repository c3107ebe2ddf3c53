// What batches leave in lanes' hashes: read for many lanes, withdrawn, forgotten.

import { RetryBatchState } from '../../proto/gen/ferry/v1/retry_batch_pb.ts'
import { laneKeys, readInbox, readParked, writeInboxItem } from '../../runtime/lane-keys.ts'
import { defineScript, type Redis } from '../../runtime/redis.ts'
import { laneOf, type Subject } from '../attempts/subject.ts'
import { askRedis } from '../store/ask-redis.ts'
import { type BatchRecord, batchIdOf } from './batch.ts'
import type { HandedItem } from './enqueue.ts'
import { cancelField, closedMark, markField, readMark } from './mark.ts'
import type { Marks } from './progress.ts'

const scanCount = 1000

/** How far the first lap has come in each lane. Later laps begin only when everything was handed over: then no mark counts. */
export async function readMarks(redis: Redis, record: BatchRecord, subject: Subject): Promise<Marks> {
  const { batch, lap, partitions } = record
  if (batch.state !== RetryBatchState.ENQUEUING) return new Map(partitions.map((partition) => [partition, undefined]))
  const field = markField(batchIdOf(record))
  const texts = await askRedis(() =>
    Promise.all(partitions.map((partition) => redis.hget(laneKeys(laneOf(subject, partition)).lane, field))),
  )
  return new Map(partitions.map((partition, index) => [partition, readMark(texts[index]!, lap)]))
}

/** Those of the items that are neither in the lane's inbox for this batch nor parked in a round above theirs: nobody will end them. */
export async function findAbsent(
  redis: Redis,
  subject: Subject,
  partition: number,
  batch: string,
  items: readonly HandedItem[],
): Promise<HandedItem[]> {
  if (items.length === 0) return []
  const keys = laneKeys(laneOf(subject, partition))
  const offsets = items.map(({ offset }) => String(offset))
  // The inbox first: an item goes from there to parked in one step, so it is seen in one of the two.
  const inbox = await askRedis(() => redis.hmget(keys.inbox, ...offsets))
  const parked = await askRedis(() => redis.hmget(keys.parked, ...offsets))
  return items.filter((item, index) => isAbsent(item, batch, inbox[index] ?? undefined, parked[index] ?? undefined))
}

/** waiting, entry: what the inbox and the parked deliveries have of the item's offset. */
export function isAbsent({ round }: HandedItem, batch: string, waiting: string | undefined, entry: string | undefined): boolean {
  if (waiting !== undefined && readInbox(waiting).some((item) => item.batch === batch)) return false
  return entry === undefined || readParked(entry).round <= round
}

/**
 * KEYS lane inbox  ARGV mark field, cancel field, lap or empty. Nothing more is handed over, for good or in laps before this one, and the
 * owner is told to withdraw what it has. Answers whether anything is to be taken out of the inbox.
 */
const closeScript = defineScript(`
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
local mark = redis.call('HGET', KEYS[1], ARGV[1])
if mark == '${closedMark}' then return 1 end
local closed = '${closedMark}'
if ARGV[3] ~= '' then
  local lap, handed = string.match(mark or '-1:-1:0', '^(%-?%d+):%-?%d+:(%d+)$')
  if tonumber(lap) > tonumber(ARGV[3]) then return 0 end
  closed = ARGV[3] .. ':-1:' .. handed
end
redis.call('HSET', KEYS[1], ARGV[1], closed)
if mark then redis.call('HSET', KEYS[2], ARGV[2], '1') end
return 1
`)

/** KEYS inbox  ARGV offset, what stood there, what stays (or empty). Answers whether it stood there still. */
const replaceItemScript = defineScript(`
if redis.call('HGET', KEYS[1], ARGV[1]) ~= ARGV[2] then return 0 end
if ARGV[3] == '' then redis.call('HDEL', KEYS[1], ARGV[1]) else redis.call('HSET', KEYS[1], ARGV[1], ARGV[3]) end
return 1
`)

/**
 * Takes a batch's items out of a lane's inbox: for good, or, with a lap, until that lap hands them over again. What the owner has taken
 * already it withdraws itself, unless it is sent.
 */
export async function withdraw(redis: Redis, subject: Subject, partition: number, batch: string, lap?: number): Promise<void> {
  const keys = laneKeys(laneOf(subject, partition))
  const args = [markField(batch), cancelField(batch), lap ?? '']
  if ((await askRedis(() => closeScript(redis, [keys.lane, keys.inbox], args))) === 0) return
  for (let scan: string | undefined = '0'; scan !== undefined; ) {
    const from: string = scan
    const [next, fields] = await askRedis(() => redis.hscan(keys.inbox, from, 'COUNT', scanCount))
    for (let index = 0; index < fields.length; index += 2)
      if (!fields[index]!.startsWith('cancel:')) await withdrawItem(redis, keys.inbox, fields[index]!, fields[index + 1]!, batch)
    scan = next === '0' ? undefined : next
  }
}

async function withdrawItem(redis: Redis, inbox: string, offset: string, text: string, batch: string): Promise<void> {
  for (let waiting: string | null = text; waiting !== null; ) {
    const items = readInbox(waiting)
    const others = items.filter((item) => item.batch !== batch)
    if (others.length === items.length) return
    const seen: string = waiting
    const replaced = await askRedis(() => replaceItemScript(redis, [inbox], [offset, seen, others.map(writeInboxItem).join(',')]))
    if (replaced === 1) return
    waiting = await askRedis(() => redis.hget(inbox, offset))
  }
}

/** Removes what is left of an ended batch. Not at once: a mark also stops a former leader that was frozen before it handed over. */
export async function forget(redis: Redis, subject: Subject, partitions: readonly number[], batch: string): Promise<void> {
  for (const partition of partitions) {
    const keys = laneKeys(laneOf(subject, partition))
    await askRedis(() => redis.hdel(keys.lane, markField(batch)))
    await askRedis(() => redis.hdel(keys.inbox, cancelField(batch)))
  }
}

/** Those of the partitions whose inbox is not empty. */
export async function findInboxes(redis: Redis, subject: Subject, partitions: readonly number[]): Promise<number[]> {
  const lengths = await askRedis(() =>
    Promise.all(partitions.map((partition) => redis.hlen(laneKeys(laneOf(subject, partition)).inbox))),
  )
  return partitions.filter((_, index) => lengths[index]! > 0)
}

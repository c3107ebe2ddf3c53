import { type InboxItem, type LaneId, laneKeys, writeInboxItem, writeParked } from '../../runtime/lane-keys.ts'
import { defineScript, type Redis } from '../../runtime/redis.ts'
import { askRedis } from '../store/ask-redis.ts'
import { cancelField, closedMark, markField } from './mark.ts'

// Hands a page of items to a lane, in one script on the lane's slot.
//
// | the offset is                                   | then                                                                  |
// |-------------------------------------------------|-----------------------------------------------------------------------|
// | at or below the mark, or the lap is an old one  | dropped: it was handed over already                                   |
// | parked in a round above the item's              | joins: its end will be above the selected row, the log counts it      |
// | in the inbox, brought by this batch             | stays as it is                                                        |
// | in the inbox, brought by others                 | the item is added to theirs: one round for all of them                |
// | none of these                                   | the item waits in the inbox until the owner sees the delivery ended   |
//
// The mark moves with every item that is not dropped, so a page that is sent twice, by whomever, is handed over once.

export interface HandedItem extends Omit<InboxItem, 'batch'> {
  readonly offset: number
}

export interface Handover {
  readonly batch: string
  readonly lap: number
  /** Rising by offset, without the same one twice. */
  readonly items: readonly HandedItem[]
  /** Offsets that the inbox may hold; what does not fit is not handed over, and the mark stays below it. */
  readonly inboxMax: number
  /** Items that the batch may hand to this lane in all laps. */
  readonly handedMax: number | undefined
  /** A lap that begins anew: so many count as handed over before it. */
  readonly handedBefore?: number | undefined
}

/** NO_LANE: Redis has no state of the lane. CLOSED: the batch was cancelled. */
export type HandoverResult =
  | { readonly kind: 'HANDED'; readonly handed: number; readonly added: number; readonly inboxFull: boolean }
  | { readonly kind: 'NO_LANE' | 'CLOSED' }

/** Place of the round among the words of a parked entry, found by writing one, so that it follows the format. */
const roundWord = ((): number => {
  const round = 987_654_321
  const entry = { state: 'P', keyHash: undefined, attempts: 0, unpaid: 0, firstMs: 0, lastMs: 0, dueMs: 0 } as const
  const text = writeParked({ ...entry, round, bytes: 0, where: 'K', batch: undefined, stale: false, newKey: false })
  return text.split(' ').indexOf(String(round)) + 1
})()

/** KEYS lane parked inbox  ARGV mark field, batch, lap, inbox max, handed max, handed before (or empty), cancel field, then offset, round, item of each */
const enqueueScript = defineScript(`
if redis.call('EXISTS', KEYS[1]) == 0 then return {'NO_LANE'} end
local stored = redis.call('HGET', KEYS[1], ARGV[1])
if stored == '${closedMark}' then return {'CLOSED'} end
local lap, mark, handed = -1, '-1', 0
if stored then
  local a, b, c = string.match(stored, '^(%d+):(%-?%d+):(%d+)$')
  lap, mark, handed = tonumber(a), b, tonumber(c)
end
if tonumber(ARGV[3]) < lap then return {'HANDED', 0, 0, 0} end
if tonumber(ARGV[3]) > lap then
  mark = '-1'
  if ARGV[6] ~= '' then handed = tonumber(ARGV[6]) end
end
-- The batch goes on: what its pause has not withdrawn yet stays.
redis.call('HDEL', KEYS[3], ARGV[7])
local room = tonumber(ARGV[4]) - redis.call('HLEN', KEYS[3])
local handedMax = ARGV[5] ~= '' and tonumber(ARGV[5]) or math.huge
local count, added, full = 0, 0, 0
for at = 8, #ARGV, 3 do
  local offset, round, item = ARGV[at], tonumber(ARGV[at + 1]), ARGV[at + 2]
  if tonumber(offset) > tonumber(mark) then
    if handed >= handedMax then break end
    local parked = redis.call('HGET', KEYS[2], offset)
    local parkedRound = -1
    if parked then
      local word = 0
      for text in string.gmatch(parked, '%S+') do
        word = word + 1
        if word == ${roundWord} then parkedRound = tonumber(text) end
      end
    end
    if parkedRound <= round then
      local waiting = redis.call('HGET', KEYS[3], offset)
      if not waiting then
        if room <= 0 then
          full = 1
          break
        end
        room = room - 1
        redis.call('HSET', KEYS[3], offset, item)
        added = added + 1
      elseif not string.find(',' .. waiting, ',' .. ARGV[2] .. ':', 1, true) then
        redis.call('HSET', KEYS[3], offset, waiting .. ',' .. item)
        added = added + 1
      end
    end
    mark = offset
    count = count + 1
    handed = handed + 1
  end
end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%s:%s:%.0f', ARGV[3], mark, handed))
return {'HANDED', count, added, full}
`)

export async function enqueue(redis: Redis, lane: LaneId, handover: Handover): Promise<HandoverResult> {
  const { batch, lap, items, inboxMax, handedMax, handedBefore } = handover
  const keys = laneKeys(lane)
  const args = [markField(batch), batch, lap, inboxMax, handedMax ?? '', handedBefore ?? '', cancelField(batch)]
  for (const { offset, ...item } of items) args.push(offset, item.round, writeInboxItem({ batch, ...item }))
  const reply = (await askRedis(() => enqueueScript(redis, [keys.lane, keys.parked, keys.inbox], args))) as [Buffer, ...number[]]
  const kind = String(reply[0]) as HandoverResult['kind']
  if (kind !== 'HANDED') return { kind }
  return { kind, handed: reply[1]!, added: reply[2]!, inboxFull: reply[3] === 1 }
}

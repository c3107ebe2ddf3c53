import { type LaneId, type LaneOrder, laneKeys, orderPrefix, writeOrder } from '../../runtime/lane-keys.ts'
import { defineScript, type Redis } from '../../runtime/redis.ts'
import { askRedis } from '../store/ask-redis.ts'
import { QueryError } from './query-error.ts'

// Puts an order of an operator into a lane's inbox, where its worker finds it.
//
//   of a single delivery that | then
//   waits                     | the order is accepted
//   waits behind another one  | DELIVERY_BEHIND: that one comes first
//   does not wait             | DELIVERY_NOT_WAITING
//
// Of a range it is the worker that sees what waits.

/** KEYS lane parked inbox  ARGV field, order, inbox max, the single offset or empty */
const orderScript = defineScript(`
if redis.call('EXISTS', KEYS[1]) == 0 then return 'NO_LANE' end
if ARGV[4] ~= '' then
  local parked = redis.call('HGET', KEYS[2], ARGV[4])
  if not parked then return 'NOT_WAITING' end
  if string.sub(parked, 1, 1) == 'B' then return 'BEHIND' end
end
if redis.call('HLEN', KEYS[3]) >= tonumber(ARGV[3]) then return 'FULL' end
redis.call('HSET', KEYS[3], ARGV[1], ARGV[2])
return 'ACCEPTED'
`)

/** Throws QueryError when there is nothing to order. */
export async function orderDeliveries(redis: Redis, lane: LaneId, order: LaneOrder, inboxMax: number): Promise<void> {
  const keys = laneKeys(lane)
  const single = order.first === order.last ? String(order.first) : ''
  const args = [`${orderPrefix}${crypto.randomUUID()}`, writeOrder(order), inboxMax, single]
  const answer = String(await askRedis(() => orderScript(redis, [keys.lane, keys.parked, keys.inbox], args)))
  const where = `${lane.topic}/${lane.partition}`
  const what = `offset ${order.first} of ${where}`
  if (answer === 'NO_LANE')
    throw new QueryError('DELIVERY_NOT_WAITING', `nothing waits in ${where}: it has not been delivered from yet`)
  if (answer === 'NOT_WAITING')
    throw new QueryError('DELIVERY_NOT_WAITING', `${what} does not wait for another attempt: GetDelivery says what became of it`)
  if (answer === 'BEHIND')
    throw new QueryError(
      'DELIVERY_BEHIND',
      `${what} waits behind an earlier delivery of its key: order that one, or a range with both`,
    )
  if (answer === 'FULL')
    throw new QueryError(
      'LIMIT_EXCEEDED',
      `the inbox of ${where} is full (FERRY_INBOX_MAX): call again when its retry batches are further`,
    )
}

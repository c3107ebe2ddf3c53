import type { LaneId } from '../../runtime/lane-keys.ts'
import { prepareLaneHeaders } from '../deliver/request-headers.ts'
import type { Route } from '../deliver/route.ts'
import type { Lane } from '../lane/lane.ts'
import { Load } from '../lane/load.ts'
import { BatchItem, RequestBatch } from '../lane/request-batch.ts'
import type { KafkaRecord } from '../source/kafka-record.ts'

/** Of no lane: no owner has it. */
const EPOCH = 0

/** What a request slot would carry for a record's first attempt, as a lane would have made it. Times are Unix ms. */
export function prepareRequest(route: Route, id: LaneId, record: KafkaRecord, body: Buffer, nowMs: number): Load {
  const load = new Load()
  // All that a request has of its lane.
  load.lane = { id, headers: prepareLaneHeaders(id, EPOCH) } as Lane
  load.record = record
  const { batch: plan } = route.plan
  if (plan !== undefined) prepareBatch(load, route, new RequestBatch(plan), body, nowMs)
  else {
    load.row.attempt = 1
    load.address(route, load.lane)
    load.carry(body, nowMs)
  }
  return load
}

/** A batch of this record alone. */
function prepareBatch(load: Load, route: Route, batch: RequestBatch, body: Buffer, nowMs: number): void {
  const lane = load.lane!
  const item = new BatchItem()
  item.lane = lane
  item.record = load.record
  item.row.offset = Number(load.record!.offset)
  item.row.attempt = 1
  item.address(route, lane)
  item.carry(body)
  batch.add(item)
  load.addressBatch(route, lane, batch, nowMs)
  load.row.requestHeaders = item.row.requestHeaders
}

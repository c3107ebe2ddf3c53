import { hash } from 'node:crypto'
import { readTraceContext } from '../../runtime/trace-context.ts'
import { envelopeOf, FRAME_BYTES, joinParts, partBytes } from '../deliver/batch-body.ts'
import type { BatchPlan } from '../deliver/compile-batching.ts'
import { attemptText } from '../deliver/request-headers.ts'
import type { Route } from '../deliver/route.ts'
import type { Lane } from './lane.ts'
import { Load } from './load.ts'

const DIGEST_DIGITS = 16

/** One delivery of a batch. What is the request's own (headers, answer) its batch has. */
export class BatchItem extends Load {
  envelope = ''

  override address(route: Route, lane: Lane): void {
    this.route = route
    this.span = lane.tracing?.beginItem(this, lane, readTraceContext(this.record!.headers))
    const { headers } = lane
    if (!route.plan.batch?.hasEnvelope) return
    const { offset } = this.record!
    const { round, attempt } = this.row
    const { keyPrefix, recordPrefix } = headers
    const key = this.entry?.newKey ? `${keyPrefix}${offset}/${this.row.retryBatch}` : keyPrefix + offset
    this.envelope = envelopeOf(key, recordPrefix + offset, attemptText(headers, round, attempt))
  }

  override carry(body: Buffer): void {
    const wrap = this.route!.wrapItem
    this.body = wrap === undefined ? body : wrap(this.lane!.id, this.record!, body)
    this.row.requestBody = this.body
  }

  override release(): void {
    super.release()
    this.envelope = ''
  }
}

/** Deliveries of one lane that share a request. */
export class RequestBatch {
  readonly #plan: BatchPlan
  readonly items: BatchItem[] = []
  #bytes = FRAME_BYTES
  #recordsMax: number
  #lowest = Number.POSITIVE_INFINITY
  #highest = 0

  constructor(plan: BatchPlan) {
    this.#plan = plan
    this.#recordsMax = plan.recordsMax
  }

  get count(): number {
    return this.items.length
  }

  get first(): BatchItem {
    return this.items[0]!
  }

  /** Whether another record may come in that must not share a request with more than so many; 0: no matter. */
  hasRoom(together: number): boolean {
    const { count } = this
    return count < this.#recordsMax && (together === 0 || count < together)
  }

  /** Whether the body can take it. A record that is longer than any batch goes alone. */
  fits(item: BatchItem): boolean {
    return this.count === 0 || this.#bytes + partBytes(item) <= this.#plan.bytesMax
  }

  add(item: BatchItem): void {
    const { row, together } = item
    row.item = this.items.push(item) - 1
    row.requestId = this.first.row.requestId
    this.#bytes += partBytes(item)
    if (together > 0) this.#recordsMax = Math.min(this.#recordsMax, together)
    this.#lowest = Math.min(this.#lowest, row.offset)
    this.#highest = Math.max(this.#highest, row.offset)
  }

  /** `{lowest}-{highest}` offset. */
  get range(): string {
    return `${this.#lowest}-${this.#highest}`
  }

  /** Of the offsets in the order of the body: the same records together again have the same one, but with keys of a retry batch's own. */
  digest(): string {
    const { items } = this
    const offsets = new Float64Array(items.length)
    let hasNewKeys = false
    for (let i = 0; i < items.length; i++) {
      offsets[i] = items[i]!.row.offset
      hasNewKeys ||= items[i]!.entry?.newKey === true
    }
    const bytes = Buffer.from(offsets.buffer)
    const batches = hasNewKeys ? items.map(({ entry, row }) => (entry?.newKey ? row.retryBatch : '')).join() : ''
    const digested = batches === '' ? bytes : Buffer.concat([bytes, Buffer.from(batches)])
    return hash('sha256', digested, 'hex').slice(0, DIGEST_DIGITS)
  }

  join(): Buffer {
    return joinParts(this.items, this.count, this.#bytes, this.#plan.isNdjson)
  }
}

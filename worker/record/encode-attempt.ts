import { isShadow, splitUid } from '../../runtime/lane-keys.ts'
import type { Attempt, LaneColumns } from './attempt.ts'
import { bytes, copy, type FastBuffer, text, textBytes, u16, u32, u64, varint } from './row-binary.ts'

const PURPOSE_DELIVER = 1
const PURPOSE_SHADOW = 2
const OUTCOME_DELIVERED = 1
const NONE = Buffer.alloc(0)
const REDACTED = Buffer.from('***')
const SET_COOKIE = 'set-cookie'

/** A lane's constant columns, encoded once. */
export interface EncodedLane {
  readonly columns: LaneColumns
  readonly prefix: Buffer
}

export function encodeLane(columns: LaneColumns): EncodedLane {
  const numbers = (write: (out: Buffer) => number): Buffer => {
    const out = Buffer.alloc(16)
    return out.subarray(0, write(out))
  }
  const { uid, replay } = splitUid(columns.uid)
  const prefix = Buffer.concat([
    textBytes(uid),
    textBytes(columns.namespace),
    textBytes(columns.useCase),
    numbers((out) => u64(out, 0, columns.revision)),
    textBytes(columns.cluster),
    textBytes(columns.topic),
    numbers((out) => u32(out, 0, columns.partition)),
    textBytes(replay),
    numbers((out) => u64(out, 0, columns.epoch)),
    textBytes(columns.worker),
    Buffer.from([isShadow(replay) ? PURPOSE_SHADOW : PURPOSE_DELIVER]),
    textBytes(columns.method),
    textBytes(columns.url),
  ])
  return { columns, prefix }
}

/** No row is longer. */
export function rowBytesMax(lane: EncodedLane, row: Attempt): number {
  let size =
    lane.prefix.length + 256 + row.retryBatch.length * 3 + (row.key?.length ?? 0) + row.error.length * 3 + row.packed.length
  for (const each of row.requestHeaders) size += each.length * 3 + 5
  for (const each of row.responseHeaders) size += each.length + 5
  return size + Math.min(row.requestBody.length, lane.columns.requestBodyBytesMax) + row.responseBody.length
}

/** Writes one row of attempt_inserts in the order of its columns; answers where it ends. There must be room for rowBytesMax. */
export function encodeAttempt(out: FastBuffer, start: number, lane: EncodedLane, row: Attempt): number {
  const { columns } = lane
  const delivered = row.outcome === OUTCOME_DELIVERED
  const keepBody = columns.logBody === 'ALL' || (columns.logBody === 'FAILURES' && !delivered)
  let at = copy(out, start, lane.prefix)
  at = u64(out, at, row.offset)
  at = u32(out, at, row.round)
  at = u32(out, at, row.attempt)
  out[at++] = row.trigger
  at = text(out, at, row.retryBatch)
  at = u64(out, at, row.requestId)
  at = u32(out, at, row.item)
  out[at++] = row.outcome
  out[at++] = row.reason
  at = u16(out, at, row.status)
  at = u64(out, at, row.sentMs)
  at = u32(out, at, Math.floor(row.sentMs / 1000) + (delivered ? columns.successRetentionS : columns.failureRetentionS))
  at = u32(out, at, row.latencyUs)
  at = u64(out, at, row.recordMs)
  at = row.key === null ? bytes(out, at, NONE) : bytes(out, at, row.key)
  at = u64(out, at, row.keyHash)
  const { requestHeaders, requestBody, responseHeaders } = row
  at = varint(out, at, requestHeaders.length >> 1)
  for (let i = 0; i < requestHeaders.length; i++) at = text(out, at, requestHeaders[i]!)
  at = u32(out, at, requestBody.length)
  at = keepBody ? bytes(out, at, cut(requestBody, columns.requestBodyBytesMax)) : bytes(out, at, NONE)
  at = varint(out, at, responseHeaders.length >> 1)
  for (let i = 0; i < responseHeaders.length; i += 2) {
    at = bytes(out, at, responseHeaders[i]!)
    at = bytes(out, at, isCookie(responseHeaders[i]!) ? REDACTED : responseHeaders[i + 1]!)
  }
  at = u32(out, at, row.responseBytes)
  at = bytes(out, at, row.responseBody)
  at = text(out, at, row.error)
  return bytes(out, at, row.packed)
}

const cut = (body: Buffer, bytesMax: number): Buffer => (body.length <= bytesMax ? body : body.subarray(0, bytesMax))
const isCookie = (name: Buffer): boolean =>
  name.length === SET_COOKIE.length && name.toString('latin1').toLowerCase() === SET_COOKIE

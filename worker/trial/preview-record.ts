import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { bodyOf } from '../../convert/conversion.ts'
import type { SourceRecord } from '../../convert/source-record.ts'
import { Reason } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import {
  type PreviewedRequest,
  PreviewedRequestSchema,
  PreviewVerdict,
  type RecordPreview,
  RecordPreviewSchema,
} from '../../proto/gen/ferry/v1/preview_pb.ts'
import type { LaneId } from '../../runtime/lane-keys.ts'
import type { Route } from '../deliver/route.ts'
import { failureReason } from '../lane/failure-reason.ts'
import type { Load } from '../lane/load.ts'
import type { KafkaRecord } from '../source/kafka-record.ts'
import { prepareRequest } from './prepare-request.ts'

export interface PreviewParts {
  readonly route: Route
  readonly id: LaneId
  readonly nowMs: number
  /** Of each text and value in the answer. */
  readonly bytesMax: number
}

export interface PreviewedRecord {
  readonly preview: RecordPreview
  /** What would be sent; undefined when nothing would. */
  readonly load: Load | undefined
}

/** What would become of a record. Never throws for what is wrong with the record. */
export async function previewRecord(record: KafkaRecord, parts: PreviewParts): Promise<PreviewedRecord> {
  const { bytesMax, route, id, nowMs } = parts
  const preview = create(RecordPreviewSchema, {
    ...{ partition: id.partition, offset: BigInt(record.offset), recordTime: timestampFromMs(Number(record.timestamp)) },
    ...{ key: record.key?.subarray(0, bytesMax) ?? new Uint8Array(), headers: textHeaders(record) },
    value: record.value?.subarray(0, bytesMax) ?? new Uint8Array(),
    valueBytes: BigInt(record.value?.length ?? -1),
    verdict: PreviewVerdict.FAIL,
  })
  try {
    preview.decoded = textOf(bodyOf(record, route.decode), bytesMax)
    const body = await verdictOf(record, parts, preview)
    if (body === undefined) return { preview, load: undefined }
    const load = prepareRequest(route, id, record, body, nowMs)
    preview.verdict = PreviewVerdict.SEND
    preview.request = shownRequest(load, parts)
    return { preview, load }
  } catch (error) {
    preview.reason = failureReason(error)
    preview.error = error instanceof Error ? error.message : String(error)
    return { preview, load: undefined }
  }
}

/** The body to send; undefined when the record would be skipped. */
async function verdictOf(record: KafkaRecord, { route, id }: PreviewParts, preview: RecordPreview): Promise<Buffer | undefined> {
  const { plan, conversion, decode } = route
  const isTombstone = record.value === null && !plan.deliversTombstones
  const body = isTombstone
    ? 'TOMBSTONE'
    : conversion === undefined
      ? bodyOf(record, decode)
      : await conversion.convert(record, id)
  if (typeof body !== 'string') return body
  preview.verdict = PreviewVerdict.SKIP
  preview.reason = Reason[body]
  return undefined
}

function shownRequest({ body, row }: Load, { route, bytesMax }: PreviewParts): PreviewedRequest {
  const { method, url } = route.plan
  const headers = namedHeaders(row.requestHeaders)
  return create(PreviewedRequestSchema, { method, url, headers, body: textOf(body, bytesMax), bodyBytes: BigInt(body.length) })
}

/** Of a flat list; of several headers with one name all, as HTTP joins them. */
export function namedHeaders(flat: readonly (string | Buffer)[]): Record<string, string> {
  const named: Record<string, string> = {}
  for (let at = 0; at + 1 < flat.length; at += 2) {
    const name = String(flat[at]).toLowerCase()
    const value = String(flat[at + 1])
    named[name] = named[name] === undefined ? value : `${named[name]}, ${value}`
  }
  return named
}

export const textOf = (bytes: Buffer, bytesMax: number): string => bytes.subarray(0, bytesMax).toString()

function textHeaders({ headers }: SourceRecord): Record<string, string> {
  const entries = Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.at(-1) : value] as const)
  return Object.fromEntries(entries.map(([name, value]) => [name, String(value ?? '')]))
}

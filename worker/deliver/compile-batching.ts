import { BatchFormat, BatchItem, type Batching } from '../../proto/gen/ferry/v1/batching_pb.ts'
import { choice, durationMs, number, part } from './plan-values.ts'

/** How records of a use case share requests. */
export interface BatchPlan {
  readonly recordsMax: number
  /** Of the whole body. */
  readonly bytesMax: number
  /** How long a record waits for company. */
  readonly waitMs: number
  readonly isNdjson: boolean
  /** Each record stands in an object that names it. */
  readonly hasEnvelope: boolean
}

const formats = {
  [BatchFormat.UNSPECIFIED]: false,
  [BatchFormat.JSON_ARRAY]: false,
  [BatchFormat.NDJSON]: true,
} as const
const items = { [BatchItem.UNSPECIFIED]: false, [BatchItem.VALUE]: false, [BatchItem.ENVELOPE]: true } as const

/** Undefined: one request per record. */
export function compileBatching(field: string, given: Batching | undefined): BatchPlan | undefined {
  if (given === undefined) return undefined
  const batching = part(field, given)
  return {
    recordsMax: number(`${field}.max_records`, batching.maxRecords, 100, 1, 10_000),
    bytesMax: number(`${field}.max_bytes`, batching.maxBytes, 1 << 20, 1, 1 << 24),
    waitMs: durationMs(`${field}.max_wait`, batching.maxWait, 100, 0),
    isNdjson: choice(`${field}.format`, formats, batching.format),
    hasEnvelope: choice(`${field}.item`, items, batching.item),
  }
}

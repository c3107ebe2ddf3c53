import { backoffMs } from '../../runtime/backoff.ts'
import { type Insert, RefusedRowsError } from './log-insert.ts'
import { stripRow } from './strip-row.ts'

// A frozen batch on its way into ClickHouse, as one part at first.
//
//   the insert of a part     | then
//   is taken                 | the next part
//   fails for another reason | the same part again, after a while, for as long as it takes
//   is refused               | once more; then two halves, each under a token of its own
//   is refused, of one row   | once more; then the row without its headers and bodies, marked
//   is refused even so       | it is not this row: all of it again, after a while, from the row as it was
//
// A token is made of the batch's and of the rows that it stands for, so it is never used for other bytes.

export interface FrozenRows {
  readonly table: string
  readonly bytes: Buffer
  /** Where each of the rows ends. */
  readonly ends: readonly number[]
  readonly rows: number
  readonly token: string
}

export interface InsertEvents {
  /** A try has failed, and the same is tried again after a while. */
  failed(error: unknown): void
  /** A try was taken. */
  taken(): void
  /** A row went in without its headers and bodies. */
  stripped(error: RefusedRowsError): void
}

interface Part {
  readonly first: number
  /** Row after the last. */
  readonly end: number
  readonly token: string
  refusals: number
  /** The single row as it goes in when it is refused as it is: made once, since its token stands for these bytes. */
  without: Buffer | undefined
  isStripped: boolean
}

const RETRY_MS = 100
const RETRY_MS_MAX = 2000

/** Resolves when every row is durable. */
export async function insertBatch(insert: Insert, frozen: FrozenRows, events: InsertEvents): Promise<void> {
  const parts: Part[] = [newPart(0, frozen.rows, frozen.token)]
  let last: RefusedRowsError | undefined
  for (let failures = 0; parts.length > 0; ) {
    const part = parts[0]!
    try {
      await insert(frozen.table, bytesOf(frozen, part), part.isStripped ? `${part.token}s` : part.token)
      parts.shift()
      failures = 0
      events.taken()
      if (part.isStripped && last !== undefined) events.stripped(last)
    } catch (error) {
      if (error instanceof RefusedRowsError && divide(frozen, parts, error)) {
        last = error
        continue
      }
      events.failed(error)
      await new Promise((resolve) =>
        setTimeout(resolve, RETRY_MS / 2 + backoffMs(failures++, RETRY_MS, RETRY_MS_MAX, Math.random())),
      )
    }
  }
}

const newPart = (first: number, end: number, token: string): Part => ({
  ...{ first, end, token, refusals: 0 },
  ...{ without: undefined, isStripped: false },
})

/** The first part is refused: answers whether there is another way to try at once. */
function divide(frozen: FrozenRows, parts: Part[], error: RefusedRowsError): boolean {
  const part = parts[0]!
  if (part.isStripped) {
    part.isStripped = false
    part.refusals = 0
    return false
  }
  if (++part.refusals < 2) return false
  if (part.end - part.first === 1) {
    part.without ??= stripRow(
      rowsOf(frozen, part),
      `ClickHouse refuses this row with its headers and bodies (code ${error.code})`,
    )
    part.isStripped = true
    return true
  }
  const middle = (part.first + part.end) >> 1
  const half = (first: number, end: number): Part => newPart(first, end, `${frozen.token}.${first}-${end}`)
  parts.splice(0, 1, half(part.first, middle), half(middle, part.end))
  return true
}

const bytesOf = (frozen: FrozenRows, part: Part): Buffer => (part.isStripped ? part.without! : rowsOf(frozen, part))

const rowsOf = ({ bytes, ends }: FrozenRows, { first, end }: Part): Buffer =>
  bytes.subarray(first === 0 ? 0 : ends[first - 1]!, ends[end - 1]!)

import { backoffMs } from '../../runtime/backoff.ts'
import { type Insert, RefusedRowsError } from './log-insert.ts'
import type { LogTable } from './log-table.ts'

// A frozen batch on its way into ClickHouse, as one part at first.
//
//   the insert of a part     | then
//   is taken                 | the next part
//   fails for another reason | the same part again, after a while, for as long as it takes
//   is refused               | once more, unless it is a half; then two halves, each under a token of its own
//   is refused, of one row   | once more; then the row without its headers and bodies, marked
//   is refused even so       | it is not this row: all of it again, after a while, from the row as it was
//
// A token is made of the batch's, of the rows that it stands for, and of why they are stripped: it is never used for other bytes.

export interface FrozenRows {
  readonly table: LogTable
  readonly bytes: Buffer
  /** Where each of the rows ends. */
  readonly ends: readonly number[]
  readonly rows: number
  readonly token: string
}

export interface InsertEvents {
  /** A try has failed, and the same is tried again after a while, unless this throws: then the insert is given up with that. */
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
  /** The single row as it goes in when it is refused as it is, under a token of its own. */
  stripped: { readonly bytes: Buffer; readonly token: string } | undefined
}

const RETRY_MS = 100
const RETRY_MS_MAX = 2000

/** Resolves when every row is durable; rejects with what events.failed throws. isRepeat: it may have been tried before. */
export async function insertBatch(insert: Insert, frozen: FrozenRows, events: InsertEvents, isRepeat = false): Promise<void> {
  let mayHaveBegun = isRepeat
  const parts: Part[] = [newPart(0, frozen.rows, frozen.token)]
  let last: RefusedRowsError | undefined
  for (let failures = 0; parts.length > 0; ) {
    const part = parts[0]!
    try {
      const { bytes, token } = part.stripped ?? { bytes: rowsOf(frozen, part), token: part.token }
      await insert(frozen.table, bytes, token, mayHaveBegun)
      parts.shift()
      failures = 0
      events.taken()
      if (part.stripped !== undefined && last !== undefined) events.stripped(last)
    } catch (error) {
      mayHaveBegun = true
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
  ...{ first, end, token, refusals: 0, stripped: undefined },
})

/** The first part is refused: answers whether there is another way to try at once. */
function divide(frozen: FrozenRows, parts: Part[], { by, code }: RefusedRowsError): boolean {
  const part = parts[0]!
  if (part.stripped !== undefined) {
    part.stripped = undefined
    part.refusals = 0
    return false
  }
  if (++part.refusals < 2) return false
  if (part.end - part.first === 1) {
    const { strip } = frozen.table
    if (strip === undefined) return false
    const mark = `${by} refuses this row with its headers and bodies (code ${code})`
    part.stripped = { bytes: strip(rowsOf(frozen, part), mark), token: `${part.token}${by === 'Kafka' ? 'k' : 's'}${code}` }
    return true
  }
  const middle = (part.first + part.end) >> 1
  // It was asked twice for all of them: of a half once will do, and a row that goes without its bodies is asked for twice again.
  const half = (first: number, end: number): Part => ({
    ...newPart(first, end, `${frozen.token}.${first}-${end}`),
    refusals: end - first === 1 ? 0 : 1,
  })
  parts.splice(0, 1, half(part.first, middle), half(middle, part.end))
  return true
}

const rowsOf = ({ bytes, ends }: FrozenRows, { first, end }: Part): Buffer =>
  bytes.subarray(first === 0 ? 0 : ends[first - 1]!, ends[end - 1]!)

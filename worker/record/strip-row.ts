import { textBytes } from './row-binary.ts'
import { attemptLayout, readLength, skipColumn } from './row-layout.ts'

/** What came from outside and may be left out; an empty string and an empty map are the same byte. */
const stripped = new Set(['request_headers', 'request_body', 'response_headers', 'response_body', 'packed_record'])

/** The row without its headers and bodies, and with `mark` before its error. */
export function stripRow(row: Buffer, mark: string): Buffer {
  const parts: Buffer[] = []
  const at = { pos: 0 }
  for (const [name, form] of Object.entries(attemptLayout)) {
    const from = at.pos
    skipColumn(form, row, at)
    const column = row.subarray(from, at.pos)
    if (stripped.has(name)) parts.push(EMPTY)
    else if (name === 'error') parts.push(marked(column, mark))
    else parts.push(column)
  }
  if (at.pos !== row.length) throw new RangeError(`a row of attempt_inserts has ${at.pos} bytes, not ${row.length}`)
  return Buffer.concat(parts)
}

const EMPTY = Buffer.from([0])

function marked(column: Buffer, mark: string): Buffer {
  const at = { pos: 0 }
  readLength(column, at)
  const error = column.subarray(at.pos).toString()
  return textBytes(error === '' ? mark : `${mark}: ${error}`)
}

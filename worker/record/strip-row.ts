import { textBytes } from './row-binary.ts'

/** Columns of attempt_inserts in their order: how many bytes a number has, a string, or a map of strings. */
const layout: Readonly<Record<string, number | 'string' | 'map'>> = {
  ...{ uid: 'string', namespace: 'string', use_case: 'string', revision: 8, cluster: 'string', topic: 'string', partition: 4 },
  ...{ replay: 'string', epoch: 8, worker: 'string', purpose: 1, method: 'string', url: 'string' },
  ...{ offset: 8, round: 4, attempt: 4, trigger: 1, retry_batch: 'string', request_id: 8, item: 4, outcome: 1, reason: 1 },
  ...{ status: 2, attempt_time: 8, expire_time: 4, latency_us: 4, record_time: 8, key: 'string', key_hash: 8 },
  ...{ request_headers: 'map', request_bytes: 4, request_body: 'string' },
  ...{ response_headers: 'map', response_bytes: 4, response_body: 'string', error: 'string', packed_record: 'string' },
}

/** What came from outside and may be left out; an empty string and an empty map are the same byte. */
const stripped = new Set(['request_headers', 'request_body', 'response_headers', 'response_body', 'packed_record'])

/** The row without its headers and bodies, and with `mark` before its error. */
export function stripRow(row: Buffer, mark: string): Buffer {
  const parts: Buffer[] = []
  const at = { pos: 0 }
  for (const [name, form] of Object.entries(layout)) {
    const from = at.pos
    if (form === 'map') for (let strings = readLength(row, at) * 2; strings > 0; strings--) skipString(row, at)
    else if (form === 'string') skipString(row, at)
    else at.pos += form
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

function skipString(row: Buffer, at: { pos: number }): void {
  const length = readLength(row, at)
  at.pos += length
}

function readLength(row: Buffer, at: { pos: number }): number {
  let value = 0
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = row.readUInt8(at.pos++)
    value += (byte & 127) * 2 ** shift
    if (byte < 128) return value
  }
  throw new RangeError('not a row of attempt_inserts: a length has more than five bytes')
}

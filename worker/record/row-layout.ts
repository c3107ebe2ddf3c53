/** How long a column is: bytes of a number, or a string or a map of strings, which say it themselves. */
export type ColumnForm = number | 'string' | 'map'

/** Columns of attempt_inserts in their order. */
export const attemptLayout: Readonly<Record<string, ColumnForm>> = {
  ...{ uid: 'string', namespace: 'string', use_case: 'string', revision: 8, cluster: 'string', topic: 'string', partition: 4 },
  ...{ replay: 'string', epoch: 8, worker: 'string', purpose: 1, method: 'string', url: 'string' },
  ...{ offset: 8, round: 4, attempt: 4, trigger: 1, retry_batch: 'string', request_id: 8, item: 4, outcome: 1, reason: 1 },
  ...{ status: 2, attempt_time: 8, expire_time: 4, latency_us: 4, record_time: 8, key: 'string', key_hash: 8 },
  ...{ request_headers: 'map', request_bytes: 4, request_body: 'string' },
  ...{ response_headers: 'map', response_bytes: 4, response_body: 'string', error: 'string', packed_record: 'string' },
}

const attemptForms = Object.values(attemptLayout)

/** Where each row of attempt_inserts ends. Throws a RangeError when the bytes are not whole rows of it. */
export function findRowEnds(rows: Buffer): number[] {
  const ends: number[] = []
  const at = { pos: 0 }
  while (at.pos < rows.length) {
    for (const form of attemptForms) skipColumn(form, rows, at)
    ends.push(at.pos)
  }
  if (at.pos !== rows.length) throw new RangeError(`rows of attempt_inserts end at byte ${at.pos}, not at ${rows.length}`)
  return ends
}

export function skipColumn(form: ColumnForm, row: Buffer, at: { pos: number }): void {
  if (form === 'map') for (let strings = readLength(row, at) * 2; strings > 0; strings--) skipString(row, at)
  else if (form === 'string') skipString(row, at)
  else at.pos += form
}

function skipString(row: Buffer, at: { pos: number }): void {
  const length = readLength(row, at)
  at.pos += length
}

export function readLength(row: Buffer, at: { pos: number }): number {
  let value = 0
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = row.readUInt8(at.pos++)
    value += (byte & 127) * 2 ** shift
    if (byte < 128) return value
  }
  throw new RangeError('not a row of attempt_inserts: a length has more than five bytes')
}

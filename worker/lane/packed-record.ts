import type { KafkaRecord } from '../source/kafka-record.ts'

const asBuffer = (value: Buffer | string): Buffer => (typeof value === 'string' ? Buffer.from(value) : value)

/** Writes the format of docs/state.md. Copies everything: a record is a slice of a whole fetch. */
export function packRecord(record: KafkaRecord): Buffer {
  const headers: [string, Buffer | undefined][] = []
  for (const [name, value] of Object.entries(record.headers)) {
    for (const each of Array.isArray(value) ? value : [value])
      headers.push([name, each === undefined ? undefined : asBuffer(each)])
  }
  const sizes = headers.reduce((sum, [name, value]) => sum + 20 + name.length * 3 + (value?.length ?? 0), 0)
  const out = Buffer.allocUnsafe(8 + 40 + (record.key?.length ?? 0) + (record.value?.length ?? 0) + sizes)
  let at = out.writeDoubleLE(Number(record.timestamp), 0)
  at = writePart(out, at, record.key)
  at = writePart(out, at, record.value)
  at = writeVarint(out, at, headers.length)
  for (const [name, value] of headers) {
    at = writePart(out, at, Buffer.from(name))
    at = writePart(out, at, value ?? null)
  }
  return out.subarray(0, at)
}

/** Reads what packRecord wrote; its parts are slices of `packed`. Throws a RangeError on anything else. */
export function unpackRecord(packed: Buffer, offset: number): KafkaRecord {
  const at = { pos: 8 }
  const timestamp = String(packed.readDoubleLE(0))
  const key = readPart(packed, at)
  const value = readPart(packed, at)
  // Without a prototype: a header may have any name, also that of a method of every object.
  const headers: Record<string, Buffer | Buffer[]> = Object.create(null)
  for (let left = readVarint(packed, at); left > 0; left--) {
    const name = readPart(packed, at)?.toString() ?? ''
    const part = readPart(packed, at) ?? Buffer.alloc(0)
    const before = headers[name]
    headers[name] = before === undefined ? part : Array.isArray(before) ? [...before, part] : [before, part]
  }
  return { offset: String(offset), key, value, timestamp, headers }
}

function writeVarint(out: Buffer, at: number, value: number): number {
  let rest = value
  while (rest > 127) {
    out[at++] = (rest & 127) | 128
    rest >>>= 7
  }
  out[at++] = rest
  return at
}

function writePart(out: Buffer, at: number, part: Buffer | null): number {
  if (part === null) return writeVarint(out, at, 0)
  const from = writeVarint(out, at, part.length + 1)
  out.set(part, from)
  return from + part.length
}

function readVarint(packed: Buffer, at: { pos: number }): number {
  let value = 0
  for (let shift = 0; shift < 35; shift += 7) {
    const byte = packed.readUInt8(at.pos++)
    value += (byte & 127) * 2 ** shift
    if (byte < 128) return value
  }
  throw new RangeError('not a packed record: a length has more than five bytes')
}

function readPart(packed: Buffer, at: { pos: number }): Buffer | null {
  const length = readVarint(packed, at)
  if (length === 0) return null
  const from = at.pos
  at.pos += length - 1
  if (at.pos > packed.length) throw new RangeError('not a packed record: it ends too early')
  return packed.subarray(from, at.pos)
}

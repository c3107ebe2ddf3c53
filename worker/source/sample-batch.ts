import { crc32c } from './crc32c.ts'

/** For tests: a record batch as a broker stores it. */
export interface SampleBatch {
  readonly first: number
  /** Last offset - first offset; without it, of as many records as there are. */
  readonly delta?: number
  readonly records: readonly {
    readonly offset: number
    readonly key?: string | null
    readonly value?: string | null
    readonly timestamp?: number
    readonly headers?: readonly (readonly [string, string | null])[]
  }[]
  readonly attributes?: number
  readonly timestamp?: number
  readonly maxTimestamp?: number
  readonly producerId?: number
  readonly compress?: (records: Buffer) => Buffer
}

/** Zigzag. */
function varint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value < 0 ? -value * 2 - 1 : value * 2
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128)
  return Buffer.from([...bytes, rest])
}

const part = (bytes: Buffer | null): Buffer => (bytes === null ? varint(-1) : Buffer.concat([varint(bytes.length), bytes]))
const text = (value: string | null | undefined): Buffer | null => (value == null ? null : Buffer.from(value))

export function encodeBatch(batch: SampleBatch): Buffer {
  const { first, records, attributes = 0, timestamp = 1000, maxTimestamp = timestamp, producerId = -1, compress } = batch
  const encoded = Buffer.concat(
    records.map((record) => {
      const headers = record.headers ?? []
      const body = Buffer.concat([
        Buffer.from([0]),
        varint((record.timestamp ?? timestamp) - timestamp),
        varint(record.offset - first),
        part(text(record.key)),
        part(text(record.value)),
        varint(headers.length),
        ...headers.flatMap(([name, value]) => [part(Buffer.from(name)), part(text(value))]),
      ])
      return Buffer.concat([varint(body.length), body])
    }),
  )
  const content = compress === undefined ? encoded : compress(encoded)
  const header = Buffer.alloc(61)
  header.writeBigInt64BE(BigInt(first), 0)
  header.writeInt32BE(49 + content.length, 8)
  header[16] = 2
  header.writeInt16BE(attributes, 21)
  header.writeInt32BE(batch.delta ?? records.length - 1, 23)
  header.writeBigInt64BE(BigInt(timestamp), 27)
  header.writeBigInt64BE(BigInt(maxTimestamp), 35)
  header.writeBigInt64BE(BigInt(producerId), 43)
  header.writeInt32BE(records.length, 57)
  const bytes = Buffer.concat([header, content])
  bytes.writeUInt32BE(crc32c(bytes, 21, bytes.length), 17)
  return bytes
}

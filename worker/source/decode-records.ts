import type { KafkaRecord } from './kafka-record.ts'

/** What the records of a batch have in common. */
export interface RecordBase {
  readonly firstOffset: number
  readonly lastOffset: number
  readonly firstTimestamp: number
  /** Set when the broker stamps records: then it holds for all of them. */
  readonly appendTimestamp: number | undefined
}

const NO_HEADERS: KafkaRecord['headers'] = Object.freeze({})

/** Reads the records of a batch, one after the other; a position in bytes that were decompressed before. */
class RecordCursor {
  readonly #bytes: Buffer
  readonly #base: RecordBase
  #at: number
  /** Where the record ends that is being read. */
  #end = 0

  constructor(bytes: Buffer, at: number, base: RecordBase) {
    this.#bytes = bytes
    this.#at = at
    this.#base = base
  }

  next(): KafkaRecord {
    const { firstOffset, lastOffset, firstTimestamp, appendTimestamp } = this.#base
    this.#end = this.#bytes.length
    const length = this.#varint()
    const end = this.#at + length
    if (length < 1 || end > this.#bytes.length) throw new RangeError(`a record of ${length} bytes does not fit into its batch`)
    this.#end = end
    this.#at++ // attributes, unused
    const timestamp = firstTimestamp + this.#varint()
    const number = firstOffset + this.#varint()
    if (number < firstOffset || number > lastOffset) throw new RangeError(`offset ${number} is not one of its batch`)
    const key = this.#part()
    const value = this.#part()
    const headers = this.#headers()
    if (this.#at !== end) throw new RangeError(`the record at offset ${number} does not end where it should`)
    return { offset: String(number), key, value, timestamp: String(appendTimestamp ?? timestamp), headers }
  }

  #headers(): KafkaRecord['headers'] {
    let left = this.#varint()
    if (left === 0) return NO_HEADERS
    // Without a prototype: a header may have any name, also that of a method of every object.
    const headers: Record<string, Buffer | Buffer[]> = Object.create(null)
    for (; left > 0; left--) {
      const name = this.#part()?.toString() ?? ''
      const part = this.#part() ?? Buffer.alloc(0)
      const before = headers[name]
      headers[name] = before === undefined ? part : Array.isArray(before) ? [...before, part] : [before, part]
    }
    return headers
  }

  /** A slice, not a copy. */
  #part(): Buffer | null {
    const length = this.#varint()
    if (length < 0) return null
    const start = this.#at
    if (start + length > this.#end) throw new RangeError(`a part of ${length} bytes does not fit into its record`)
    this.#at = start + length
    return this.#bytes.subarray(start, this.#at)
  }

  /** Zigzag, up to 53 bits. */
  #varint(): number {
    const bytes = this.#bytes
    let byte = bytes[this.#at++]
    if (byte === undefined || this.#at > this.#end) throw new RangeError('a record ends too soon')
    let value = byte & 0x7f
    for (let scale = 128; byte! >= 0x80; scale *= 128) {
      byte = bytes[this.#at++]
      if (byte === undefined || this.#at > this.#end || scale > 2 ** 63) throw new RangeError('a record ends too soon')
      value += (byte & 0x7f) * scale
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }
}

/** All records of a batch; throws where the bytes are not `count` records of it. */
export function decodeRecords(bytes: Buffer, at: number, count: number, base: RecordBase): KafkaRecord[] {
  const cursor = new RecordCursor(bytes, at, base)
  const records: KafkaRecord[] = []
  for (let i = 0; i < count; i++) records.push(cursor.next())
  return records
}

import { decompress } from './codecs.ts'
import { crc32c } from './crc32c.ts'
import { decodeRecords } from './decode-records.ts'
import type { KafkaRecord } from './kafka-record.ts'

// Kafka's record batch, format 2 (since Kafka 0.11):
//
//   at | bytes | field             at | bytes | field
//    0 | 8     | first offset      23 | 4     | last offset - first offset
//    8 | 4     | length after this 27 | 8     | first timestamp
//   12 | 4     | leader epoch      35 | 8     | highest timestamp
//   16 | 1     | format            43 | 8     | producer id
//   17 | 4     | CRC-32C of what   51 | 6     | producer epoch, first sequence
//      |       | follows           57 | 4     | number of records
//   21 | 2     | attributes        61 |       | records, compressed as the attributes say

/** A batch as it lies in the log. Compaction removes records and leaves the offsets as they were, down to a batch without records. */
export interface RecordBatch {
  readonly firstOffset: number
  readonly lastOffset: number
  /** Which leader has appended it: a number that grows with each. */
  readonly leaderEpoch: number
  readonly producerId: number
  readonly isTransactional: boolean
  /** A transaction's marker: nothing to deliver. */
  readonly isControl: boolean
  readonly records: readonly KafkaRecord[]
}

/** A batch that is there as a whole and cannot be read. */
export interface BadBatch {
  readonly firstOffset: number
  /** Where the log goes on after it; undefined when that is not known. */
  readonly nextOffset: number | undefined
  readonly reason: string
}

export interface ReadBatches {
  readonly batches: readonly RecordBatch[]
  /** Why nothing after them is given, though there is something. */
  readonly bad: BadBatch | undefined
}

const HEADER = 61
const LENGTH_AT = 8
const BEFORE_LENGTH = 12
const CRC_AT = 17
const CRC_FROM = 21
const COUNT_AT = 57
const FORMAT = 2

const CODEC = 0x07
const APPEND_TIME = 0x08
const TRANSACTIONAL = 0x10
const CONTROL = 0x20

const int64 = (bytes: Buffer, at: number): number => bytes.readInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4)

/** All whole batches of a fetch; the last one may be cut, because only so many bytes were asked for. */
export async function readBatches(bytes: Buffer): Promise<ReadBatches> {
  const batches: RecordBatch[] = []
  for (let at = 0; at + HEADER <= bytes.length; ) {
    const length = bytes.readInt32BE(at + LENGTH_AT)
    const end = at + BEFORE_LENGTH + length
    try {
      if (bytes[at + 16]! !== FORMAT)
        throw new Error(`it is in format ${bytes[at + 16]}, and only ${FORMAT} (Kafka 0.11 and later) can be read`)
      if (length < HEADER - BEFORE_LENGTH) throw new Error(`its length cannot be ${length}`)
      if (end > bytes.length) break
      batches.push(await readBatch(bytes.subarray(at, end)))
    } catch (error) {
      return { batches, bad: describe(bytes, at, end, error) }
    }
    at = end
  }
  return { batches, bad: undefined }
}

function describe(bytes: Buffer, at: number, end: number, error: unknown): BadBatch {
  // The lengths and first offsets of batches are the broker's own, and seldom what is broken.
  const nextOffset = end > at && end + LENGTH_AT <= bytes.length ? int64(bytes, end) : undefined
  const reason = error instanceof Error ? error.message : String(error)
  return { firstOffset: int64(bytes, at), nextOffset, reason }
}

async function readBatch(batch: Buffer): Promise<RecordBatch> {
  const expected = batch.readUInt32BE(CRC_AT)
  const crc = crc32c(batch, CRC_FROM, batch.length)
  if (crc !== expected) throw new Error(`its CRC is ${hex(crc)} and should be ${hex(expected)}: its bytes were changed`)
  const attributes = batch.readInt16BE(21)
  const firstOffset = int64(batch, 0)
  const lastOffset = firstOffset + batch.readInt32BE(23)
  const isControl = (attributes & CONTROL) !== 0
  const common = {
    ...{ firstOffset, lastOffset, leaderEpoch: batch.readInt32BE(12), producerId: int64(batch, 43) },
    isTransactional: (attributes & TRANSACTIONAL) !== 0,
  }
  const count = batch.readInt32BE(COUNT_AT)
  if (isControl || count === 0) return { ...common, isControl, records: [] }
  const codec = attributes & CODEC
  const base = {
    ...{ firstOffset, lastOffset, firstTimestamp: int64(batch, 27) },
    appendTimestamp: (attributes & APPEND_TIME) !== 0 ? int64(batch, 35) : undefined,
  }
  const records =
    codec === 0
      ? decodeRecords(batch, HEADER, count, base)
      : decodeRecords(await decompress(codec, batch.subarray(HEADER)), 0, count, base)
  return { ...common, isControl, records }
}

const hex = (crc: number): string => crc.toString(16).padStart(8, '0')

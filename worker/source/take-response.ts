import type { AbortedTransaction, FetchedPartition } from './fetch.ts'
import { type KafkaRecord, recordBytes } from './kafka-record.ts'
import type { Chunk, FetchedBytes, Hole, Partition } from './partition.ts'
import type { ReadBatches, RecordBatch } from './record-batch.ts'

/**
 * Hands what was fetched to the partition's sink and moves its position; answers whether it moved. Markers, records of aborted
 * transactions and gaps become holes, and so do batches that compaction has emptied.
 */
export function takeResponse(partition: Partition, fetched: FetchedPartition, { batches, bad }: ReadBatches): boolean {
  const endOffset = fetched.highWatermark
  const from = partition.position
  const next = endOf(batches) ?? from
  if (next <= from) {
    // A batch was cut because others took the room, or is larger than what was asked for: ask for more next time.
    const readable = partition.readCommitted ? fetched.lastStableOffset : endOffset
    partition.stuck = bad === undefined && from < readable ? partition.stuck + 1 : 0
    partition.sink.read([], from, endOffset)
    return false
  }
  partition.stuck = 0
  const chunks = toChunks(batches, from, next, partition.readCommitted ? fetched.abortedTransactions : [])
  partition.position = next
  partition.epoch = batches.at(-1)!.leaderEpoch
  partition.sink.read(chunks, next, endOffset)
  return true
}

/** The offset after the last batch, also when compaction has removed its last records; undefined of nothing. */
export function endOf(batches: readonly RecordBatch[]): number | undefined {
  const last = batches.at(-1)
  return last === undefined ? undefined : last.lastOffset + 1
}

/** Puts records and what lies between them in order. */
class Chunks {
  readonly done: Chunk[] = []
  readonly #fetched: FetchedBytes
  #records: KafkaRecord[] = []
  #hole: Hole | undefined
  #next: number

  constructor(from: number, fetched: FetchedBytes) {
    this.#next = from
    this.#fetched = fetched
  }

  /** What lies before it and was not given is a gap. */
  record(record: KafkaRecord, offset: number): void {
    this.cut(offset, 'COMPACTED')
    this.#next = offset + 1
    this.#records.push(record)
  }

  /** Nothing to deliver up to `end`, not included. */
  cut(end: number, kind: Hole['kind']): void {
    if (end <= this.#next) return
    const first = this.#next
    this.#next = end
    const before = this.#hole
    if (this.#records.length === 0 && before?.kind === kind) {
      this.#hole = { first: before.first, last: end - 1, kind }
      return
    }
    this.finish()
    this.#hole = { first, last: end - 1, kind }
  }

  finish(): void {
    if (this.#records.length > 0 || this.#hole !== undefined)
      this.done.push({ hole: this.#hole, records: this.#records, fetched: this.#fetched })
    this.#records = []
    this.#hole = undefined
  }
}

function toChunks(
  batches: readonly RecordBatch[],
  from: number,
  next: number,
  abortedTransactions: readonly AbortedTransaction[],
): Chunk[] {
  const aborted = [...abortedTransactions].sort((a, b) => a.firstOffset - b.firstOffset)
  const inAborted = new Set<number>()
  let bytes = 0
  for (const { records } of batches) for (const record of records) bytes += recordBytes(record)
  const chunks = new Chunks(from, { bytes, held: 0 })
  for (const { firstOffset, lastOffset, producerId, isTransactional, isControl, records } of batches) {
    while (aborted.length > 0 && lastOffset >= aborted[0]!.firstOffset) inAborted.add(aborted.shift()!.producerId)
    // A marker ends its producer's transaction.
    if (isControl) inAborted.delete(producerId)
    if (isControl || (isTransactional && inAborted.has(producerId))) {
      chunks.cut(firstOffset, 'COMPACTED')
      chunks.cut(lastOffset + 1, 'TRANSACTION')
      continue
    }
    for (const record of records) {
      const offset = Number(record.offset)
      if (offset >= from) chunks.record(record, offset)
    }
  }
  chunks.cut(next, 'COMPACTED')
  chunks.finish()
  return chunks.done
}

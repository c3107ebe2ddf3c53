import { type KafkaRecord, recordBytes } from './kafka-record.ts'
import type { Chunk, FetchedBytes, Hole, Partition } from './partition.ts'

/** A record as kafkajs decodes it. */
export interface FetchedRecord extends KafkaRecord {
  readonly isControlRecord: boolean
  readonly batchContext: {
    readonly firstOffset: string
    readonly lastOffsetDelta: number
    readonly producerId: string
    readonly inTransaction: boolean
  }
}

/** One partition of a fetch response, as kafkajs decodes it. */
export interface FetchedPartition {
  readonly partition: number
  readonly highWatermark: string
  readonly lastStableOffset: string
  readonly abortedTransactions: readonly { readonly producerId: string; readonly firstOffset: string }[] | null
  readonly messages: readonly FetchedRecord[]
}

/**
 * Hands what was fetched to the partition's sink and moves its position; answers whether it moved.
 * Control records, records of aborted transactions and gaps become holes. kafkajs' own filter for aborted transactions takes
 * any record with a key of four zero bytes for an abort marker, so it is not used.
 */
export function takeResponse(partition: Partition, fetched: FetchedPartition): boolean {
  const { messages } = fetched
  const endOffset = Number(fetched.highWatermark)
  if (messages.length === 0) {
    // kafkajs hides empty batches, which compaction leaves behind, and drops one that was cut: ask for more bytes next time.
    const readable = partition.readCommitted ? Number(fetched.lastStableOffset) : endOffset
    partition.stuck = partition.position < readable ? partition.stuck + 1 : 0
    partition.sink.read([], partition.position, endOffset)
    return false
  }
  partition.stuck = 0
  const from = partition.position
  const next = endOf(messages)!
  if (next <= from) return false
  const chunks = toChunks(messages, from, next, partition.readCommitted ? (fetched.abortedTransactions ?? []) : [])
  partition.position = next
  partition.sink.read(chunks, next, endOffset)
  return true
}

/** The offset after the last batch, also when compaction has removed its last records; undefined of nothing. */
export function endOf(messages: readonly FetchedRecord[]): number | undefined {
  const last = messages.at(-1)?.batchContext
  return last === undefined ? undefined : Number(last.firstOffset) + last.lastOffsetDelta + 1
}

function toChunks(
  messages: readonly FetchedRecord[],
  from: number,
  next: number,
  abortedTransactions: NonNullable<FetchedPartition['abortedTransactions']>,
): Chunk[] {
  const aborted = abortedTransactions
    .map((each) => ({ producerId: each.producerId, first: Number(each.firstOffset) }))
    .sort((a, b) => a.first - b.first)
  const inAborted = new Set<string>()
  const chunks: Chunk[] = []
  let bytes = 0
  for (const message of messages) bytes += recordBytes(message)
  const fetched: FetchedBytes = { bytes, held: 0 }
  let records: KafkaRecord[] = []
  let hole: Hole | undefined
  let expected = from
  const cut = (first: number, end: number, kind: Hole['kind']): void => {
    if (records.length === 0 && hole?.kind === kind && hole.last + 1 === first) {
      hole = { first: hole.first, last: end, kind }
      return
    }
    if (records.length > 0 || hole !== undefined) chunks.push({ hole, records, fetched })
    records = []
    hole = { first, last: end, kind }
  }
  for (const message of messages) {
    const offset = Number(message.offset)
    while (aborted.length > 0 && offset >= aborted[0]!.first) inAborted.add(aborted.shift()!.producerId)
    const { producerId, inTransaction } = message.batchContext
    if (message.isControlRecord) inAborted.delete(producerId)
    if (offset < from) continue
    if (offset > expected) cut(expected, offset - 1, 'COMPACTED')
    expected = offset + 1
    if (message.isControlRecord || (inTransaction && inAborted.size > 0 && inAborted.has(producerId)))
      cut(offset, offset, 'TRANSACTION')
    else records.push(message)
  }
  if (next > expected) cut(expected, next - 1, 'COMPACTED')
  if (records.length > 0 || hole !== undefined) chunks.push({ hole, records, fetched })
  return chunks
}

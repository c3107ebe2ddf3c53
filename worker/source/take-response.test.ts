import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { FetchedPartition } from './fetch.ts'
import type { Chunk, PartitionSink } from './partition.ts'
import { Partition } from './partition.ts'
import type { BadBatch, RecordBatch } from './record-batch.ts'
import { takeResponse } from './take-response.ts'

interface BatchSpec {
  readonly first: number
  readonly delta: number
  readonly offsets: readonly number[]
  readonly producerId?: number
  /** An abort or commit marker. */
  readonly marker?: boolean
}

const batch = ({ first, delta, offsets, producerId, marker }: BatchSpec): RecordBatch => ({
  ...{ firstOffset: first, lastOffset: first + delta, leaderEpoch: 4, producerId: producerId ?? -1 },
  ...{ isTransactional: producerId !== undefined, isControl: marker === true },
  records: marker
    ? []
    : offsets.map((offset) => ({
        ...{ offset: String(offset), key: Buffer.alloc(4), value: Buffer.from(`v${offset}`), timestamp: '0', headers: {} },
      })),
})

interface Over extends Partial<FetchedPartition> {
  readonly bad?: BadBatch
}

function read(position: number, batches: readonly BatchSpec[], { bad, ...over }: Over = {}, readCommitted = true) {
  const chunks: Chunk[] = []
  const told: { next: number; endOffset: number }[] = []
  const sink: PartitionSink = {
    bind: async (topicId) => topicId,
    recreated: () => {},
    read: (given, next, endOffset) => {
      chunks.push(...given)
      told.push({ next, endOffset })
    },
    outOfRange: () => undefined,
    trouble: () => {},
  }
  const partition = new Partition('t', 0, position, { readCommitted, bytesMax: 1 << 20 }, sink)
  const fetched: FetchedPartition = {
    ...{ partition: 0, errorCode: 0, highWatermark: 1000, lastStableOffset: 1000, abortedTransactions: [] },
    ...{ divergesAt: undefined, bytes: Buffer.alloc(0), ...over },
  }
  const moved = takeResponse(partition, fetched, { batches: batches.map(batch), bad })
  return { partition, chunks, told, moved, plain: chunks.map(plain) }
}

const plain = ({ hole, records }: Chunk): unknown => [
  hole === undefined ? '' : `${hole.kind} ${hole.first}-${hole.last}`,
  records.map((each) => Number(each.offset)),
]

describe('a fetch of one partition', () => {
  test('gives records in one chunk, and the next position is the end of the last batch', () => {
    const { plain, told, partition, moved } = read(5, [{ first: 4, delta: 3, offsets: [4, 5, 6, 7] }])
    expect(plain).toEqual([['', [5, 6, 7]]])
    expect(told).toEqual([{ next: 8, endOffset: 1000 }])
    expect([partition.position, partition.epoch, moved]).toEqual([8, 4, true])
  })

  test('makes holes of what compaction has removed: before, between, and at the tail of a batch', () => {
    const batches = [{ first: 0, delta: 9, offsets: [2, 3, 7] }]
    expect(read(0, batches).plain).toEqual([
      ['COMPACTED 0-1', [2, 3]],
      ['COMPACTED 4-6', [7]],
      ['COMPACTED 8-9', []],
    ])
    expect(read(8, batches).plain).toEqual([['COMPACTED 8-9', []]])
  })

  test('leaves out aborted transactions and markers, and keeps what others wrote between', () => {
    const batches = [
      { first: 0, delta: 1, offsets: [0, 1], producerId: 7 },
      { first: 2, delta: 0, offsets: [2] },
      { first: 3, delta: 0, offsets: [3], producerId: 8 },
      { first: 4, delta: 0, offsets: [4], producerId: 7, marker: true },
      { first: 5, delta: 0, offsets: [5], producerId: 7 },
      { first: 6, delta: 0, offsets: [6], producerId: 8, marker: true },
      { first: 7, delta: 0, offsets: [7], producerId: 7, marker: true },
    ]
    const abortedTransactions = [{ producerId: 7, firstOffset: 0 }]
    expect(read(0, batches, { abortedTransactions }).plain).toEqual([
      ['TRANSACTION 0-1', [2, 3]],
      ['TRANSACTION 4-4', [5]],
      ['TRANSACTION 6-7', []],
    ])
    // From the middle of the aborted transaction: its beginning is not in the answer.
    expect(read(1, batches, { abortedTransactions }).plain[0]).toEqual(['TRANSACTION 1-1', [2, 3]])
    expect(read(0, batches, { abortedTransactions }, false).plain).toEqual([
      ['', [0, 1, 2, 3]],
      ['TRANSACTION 4-4', [5]],
      ['TRANSACTION 6-7', []],
    ])
  })

  test('goes on after batches that compaction has emptied, also at the end', () => {
    const batches = [
      { first: 0, delta: 9, offsets: [] },
      { first: 10, delta: 0, offsets: [10] },
      { first: 11, delta: 4, offsets: [], producerId: 7 },
    ]
    const { plain, partition, moved } = read(5, batches)
    expect(plain).toEqual([
      ['COMPACTED 5-9', [10]],
      ['COMPACTED 11-15', []],
    ])
    expect([partition.position, moved]).toEqual([16, true])
    expect(read(0, batches.slice(0, 1)).plain).toEqual([['COMPACTED 0-9', []]])
  })

  test('an aborted transaction goes on over several batches and fetches, up to its marker', () => {
    const abortedTransactions = [{ producerId: 7, firstOffset: 2 }]
    const first = [
      { first: 0, delta: 1, offsets: [0, 1], producerId: 7 },
      { first: 2, delta: 1, offsets: [2, 3], producerId: 7 },
      { first: 4, delta: 1, offsets: [4, 5], producerId: 7 },
    ]
    expect(read(0, first, { abortedTransactions }).plain).toEqual([
      ['', [0, 1]],
      ['TRANSACTION 2-5', []],
    ])
    const second = [
      { first: 6, delta: 0, offsets: [6], producerId: 7 },
      { first: 7, delta: 0, offsets: [7], producerId: 7, marker: true },
      { first: 8, delta: 0, offsets: [8], producerId: 7 },
    ]
    expect(read(6, second, { abortedTransactions }).plain).toEqual([['TRANSACTION 6-7', [8]]])
  })

  test('stops before a bad batch, and does not ask for more because of it', () => {
    const bad = { firstOffset: 2, nextOffset: 3, reason: 'its CRC' }
    const { plain, partition } = read(0, [{ first: 0, delta: 1, offsets: [0, 1] }], { bad })
    expect([plain, partition.position]).toEqual([[['', [0, 1]]], 2])
    expect(read(2, [], { bad }).partition.stuck).toBe(0)
  })

  test('asks for more when nothing comes although there is something, and not at the end', () => {
    const nothing = { highWatermark: 9, lastStableOffset: 9 }
    expect(read(5, [], nothing).partition.stuck).toBe(1)
    expect(read(9, [], nothing).partition.stuck).toBe(0)
    // An open transaction holds the rest back: there is nothing to ask for.
    expect(read(5, [], { ...nothing, lastStableOffset: 5 }).partition.stuck).toBe(0)
    expect(read(5, [], { ...nothing, lastStableOffset: 5 }, false).partition.stuck).toBe(1)
  })

  test('covers every offset exactly once, in order, whatever compaction has left', () => {
    const batches = fc
      .array(fc.record({ size: fc.integer({ min: 1, max: 6 }), kept: fc.nat(), gap: fc.nat({ max: 3 }) }), {
        minLength: 1,
        maxLength: 8,
      })
      .map((specs) => {
        let first = 0
        return specs.map(({ size, kept, gap }) => {
          first += gap
          const offsets = Array.from({ length: size }, (_, at) => first + at).filter((_, at) => (kept >> at) & 1)
          const spec = { first, delta: size - 1, offsets }
          first += size
          return spec
        })
      })
    fc.assert(
      fc.property(batches, fc.nat({ max: 5 }), (specs, position) => {
        const { chunks, partition, moved } = read(position, specs)
        let next = position
        for (const { hole, records, fetched } of chunks) {
          if (hole !== undefined) {
            expect(hole.first).toBe(next)
            expect(hole.last).toBeGreaterThanOrEqual(hole.first)
            next = hole.last + 1
          }
          for (const record of records) expect(Number(record.offset)).toBe(next++)
          expect(fetched).toBe(chunks[0]!.fetched)
        }
        const kept = specs.flatMap((each) => each.offsets).filter((offset) => offset >= position)
        expect(chunks.flatMap((each) => each.records.map((record) => Number(record.offset)))).toEqual(moved ? kept : [])
        expect(partition.position).toBe(next)
      }),
    )
  })
})

import type { Chunk } from '../source/partition.ts'

/** The part of what was fetched that is below an offset. */
export function cutChunks(chunks: readonly Chunk[], end: number): Chunk[] {
  return chunks.flatMap(({ hole, records, fetched }) => {
    const cutHole = hole === undefined || hole.first >= end ? undefined : { ...hole, last: Math.min(hole.last, end - 1) }
    const below = records.filter(({ offset }) => Number(offset) < end)
    return cutHole === undefined && below.length === 0 ? [] : [{ hole: cutHole, records: below, fetched }]
  })
}

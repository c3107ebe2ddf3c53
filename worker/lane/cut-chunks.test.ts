import { expect, test } from 'vitest'
import { cutChunks } from './cut-chunks.ts'

const record = (offset: number) => ({ offset: String(offset), key: null, value: null, timestamp: '0', headers: {} })
const hole = (first: number, last: number) => ({ first, last, kind: 'COMPACTED' }) as const
const fetched = { bytes: 0, held: 0 }
const places = (end: number) =>
  cutChunks(
    [
      { hole: undefined, records: [record(0), record(1)], fetched },
      { hole: hole(2, 4), records: [record(5), record(6)], fetched },
      { hole: hole(7, 9), records: [], fetched },
    ],
    end,
  ).map((chunk) => [chunk.hole && [chunk.hole.first, chunk.hole.last], chunk.records.map(({ offset }) => Number(offset))])

test('what is at or above the end is left out, of holes, too', () => {
  expect(places(20)).toEqual([
    [undefined, [0, 1]],
    [
      [2, 4],
      [5, 6],
    ],
    [[7, 9], []],
  ]) // prettier-ignore
  expect(places(8)).toEqual([
    [undefined, [0, 1]],
    [
      [2, 4],
      [5, 6],
    ],
    [[7, 7], []],
  ]) // prettier-ignore
  expect(places(6)).toEqual([
    [undefined, [0, 1]],
    [[2, 4], [5]],
  ]) // prettier-ignore
  expect(places(4)).toEqual([
    [undefined, [0, 1]],
    [[2, 3], []],
  ]) // prettier-ignore
  expect(places(1)).toEqual([[undefined, [0]]])
  expect(places(0)).toEqual([])
})

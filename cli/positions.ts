import { usageError } from './cli-error.ts'

/** One record's place. */
export interface Position {
  readonly partition: number
  readonly offset: bigint
}

/** Offsets of a partition; `to` is the one after the last. Not given means from the start, to the end. */
export interface OffsetRange {
  readonly partition: number
  readonly from: bigint | undefined
  readonly to: bigint | undefined
}

const partitionMax = 2 ** 31 - 1
const offsetMax = 2n ** 63n - 2n

/** `3/1042`, or what the header `ferry-record` says: `orders/3/1042`. */
export function parsePosition(text: string): Position {
  const match = /^(?:[\w.-]+\/)?(\d{1,10})\/(\d{1,19})$/.exec(text)
  if (match === null) throw usageError(`"${text}" is no record`, 'write PARTITION/OFFSET, as 3/1042')
  return { partition: partitionOf(match[1]!, text), offset: offsetOf(match[2]!, text) }
}

/** `3` is the partition, `3/1042` one record, `3/1042-1050` nine, `3/1042-` from there on. */
export function parseRange(text: string): OffsetRange {
  const match = /^(\d{1,10})(?:\/(\d{1,19})(-)?(\d{1,19})?)?$/.exec(text)
  if (match === null || (match[4] !== undefined && match[3] === undefined))
    throw usageError(
      `"${text}" is no range of records`,
      'write PARTITION, PARTITION/OFFSET, PARTITION/FIRST-LAST or PARTITION/FIRST-',
    )
  const [, partition, first, dash, last] = match
  const from = first === undefined ? undefined : offsetOf(first, text)
  const end = last === undefined ? (dash === undefined ? from : undefined) : offsetOf(last, text)
  if (from !== undefined && end !== undefined && end < from) throw usageError(`"${text}" ends before it begins`)
  return { partition: partitionOf(partition!, text), from, to: end === undefined ? undefined : end + 1n }
}

function partitionOf(digits: string, text: string): number {
  const partition = Number(digits)
  if (partition > partitionMax) throw usageError(`"${text}": a partition is at most ${partitionMax}`)
  return partition
}

function offsetOf(digits: string, text: string): bigint {
  const offset = BigInt(digits)
  if (offset > offsetMax) throw usageError(`"${text}": an offset is at most ${offsetMax}`)
  return offset
}

/** What identifies an attempt within one offset. */
export interface Rank {
  readonly round: number
  readonly epoch: number
  readonly attempt: number
}

/** Negative when `a` comes first. */
export const compareRank = (a: Rank, b: Rank): number => a.round - b.round || a.epoch - b.epoch || a.attempt - b.attempt

/** The row that gives a delivery its outcome: any that says DELIVERED, else the one of the highest (round, epoch, attempt). */
export function decidingRow<R extends Rank & { readonly outcome: string }>(rows: readonly R[]): R | undefined {
  const highest = (candidates: readonly R[]): R | undefined =>
    candidates.reduce<R | undefined>((best, row) => (best === undefined || compareRank(row, best) > 0 ? row : best), undefined)
  return highest(rows.filter((row) => row.outcome === 'DELIVERED')) ?? highest(rows)
}

/** (round, epoch, attempt) as one number that ClickHouse compares fast; epochs are below 2^53, the others below 2^32. */
export const rankSql = 'bitOr(bitOr(bitShiftLeft(toUInt128(round), 85), bitShiftLeft(toUInt128(epoch), 32)), toUInt128(attempt))'

/**
 * The same rule over the rows of a group of `outcomes`, with the deciding row's reason: outcome times 256 plus reason, as the contract's numbers. One aggregate over one number
 * costs half as much as two.
 */
export const decisionSql = `argMax(toUInt16(toUInt8(outcome)) * 256 + toUInt8(reason),
  bitOr(${rankSql}, bitShiftLeft(toUInt128(outcome = 'DELIVERED'), 117)))`

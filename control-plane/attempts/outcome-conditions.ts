import type { Timestamp } from '@bufbuild/protobuf/wkt'
import { timeMs } from './offset-filter.ts'

/** What filters of deliveries have in common: the place, and what the row that ended them says. */
export interface OutcomeFilter {
  readonly partition?: number | undefined
  readonly fromOffset?: bigint | undefined
  readonly toOffset?: bigint | undefined
  readonly fromTime?: Timestamp | undefined
  readonly toTime?: Timestamp | undefined
  readonly statuses: readonly number[]
  readonly reasons: readonly number[]
  readonly text: string
}

/** Conditions on `outcomes`, joined by AND; `{fromMs: Int64}` and the like stand for the values of outcomeParams. */
export interface OutcomeConditions {
  /** The same for all rows of a delivery. */
  readonly place: string
  /** On one row, in the words of a table or of a tuple. */
  readonly row: (words: OutcomeWords) => string
  readonly params: Readonly<Record<string, unknown>>
}

export interface OutcomeWords {
  readonly status: string
  readonly reason: string
  readonly ms: string
  readonly text: string
}

export const endMsSql = 'toUnixTimestamp64Milli(end_time)'

/** The words of the table itself. */
export const tableWords: OutcomeWords = { status: 'status', reason: "CAST(reason, 'Int8')", ms: endMsSql, text: 'text' }

export function outcomeConditions(filter: OutcomeFilter | undefined): OutcomeConditions {
  if (!filter) return { place: 'true', row: () => 'true', params: {} }
  const { partition, fromOffset, toOffset, fromTime, toTime, statuses, reasons, text } = filter
  const given = (condition: string, isGiven: boolean): string[] => (isGiven ? [condition] : [])
  const place = [
    ...given('partition = {partition: UInt32}', partition !== undefined),
    ...given('offset >= {fromOffset: UInt64}', fromOffset !== undefined),
    ...given('offset < {toOffset: UInt64}', toOffset !== undefined),
  ]
  const row = (words: OutcomeWords): string[] => [
    ...given(`${words.status} IN {statuses: Array(UInt16)}`, statuses.length > 0),
    // The table's numbers of reasons are the contract's.
    ...given(`${words.reason} IN {reasons: Array(Int8)}`, reasons.length > 0),
    ...given(`${words.ms} >= {fromMs: Int64}`, fromTime !== undefined),
    ...given(`${words.ms} < {toMs: Int64}`, toTime !== undefined),
    ...given(`position(${words.text}, {text: String}) > 0`, text !== ''),
  ]
  return {
    place: joined(place),
    row: (words) => joined(row(words)),
    params: {
      ...(partition === undefined ? {} : { partition }),
      ...(fromOffset === undefined ? {} : { fromOffset: String(fromOffset) }),
      ...(toOffset === undefined ? {} : { toOffset: String(toOffset) }),
      ...(statuses.length > 0 ? { statuses } : {}),
      ...(reasons.length > 0 ? { reasons } : {}),
      ...(fromTime ? { fromMs: timeMs(fromTime) } : {}),
      ...(toTime ? { toMs: timeMs(toTime) } : {}),
      ...(text === '' ? {} : { text }),
    },
  }
}

const joined = (conditions: readonly string[]): string => (conditions.length === 0 ? 'true' : conditions.join(' AND '))

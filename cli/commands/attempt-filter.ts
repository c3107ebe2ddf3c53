import type { MessageInitShape } from '@bufbuild/protobuf'
import { type Outcome, OutcomeSchema, type Reason, ReasonSchema } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import type { AttemptFilterSchema } from '../../proto/gen/ferry/v1/delivery_service_pb.ts'
import { usageError } from '../cli-error.ts'
import { closest } from '../manifest/closest.ts'
import { enumValue, enumWords } from '../output/enum-words.ts'
import { parseTime } from '../point-in-time.ts'
import { parseRange } from '../positions.ts'

/** Flags that select attempts; those of failed deliveries have the same names. */
export interface FilterFlags {
  readonly outcome?: readonly string[]
  readonly status?: readonly string[]
  readonly why?: readonly string[]
  readonly since?: string
  readonly until?: string
  readonly key?: string
  readonly at?: string
  readonly text?: string
}

type Filter = Exclude<MessageInitShape<typeof AttemptFilterSchema>, { $typeName: string }>

/** Undefined where nothing is selected: all. */
export function attemptFilter(flags: FilterFlags, nowMs: number): Filter | undefined {
  const { outcome, key } = flags
  const filter = {
    ...failureFilter(flags, nowMs),
    ...(outcome && { outcomes: outcome.map((word) => oneOf(OutcomeSchema, word, '--outcome') as Outcome) }),
    ...(key !== undefined && { key }),
  }
  return Object.keys(filter).length === 0 ? undefined : filter
}

/** What both kinds of filter have. */
export function failureFilter({ status, why, since, until, at, text }: FilterFlags, nowMs: number) {
  const range = at === undefined ? undefined : parseRange(at)
  return {
    ...(status && { statuses: status.map(statusOf) }),
    ...(why && { reasons: why.map((word) => oneOf(ReasonSchema, word, '--why') as Reason) }),
    ...(since !== undefined && { fromTime: parseTime(since, '--since', nowMs) }),
    ...(until !== undefined && { toTime: parseTime(until, '--until', nowMs) }),
    ...(range && { partition: range.partition }),
    ...(range?.from !== undefined && { fromOffset: range.from }),
    ...(range?.to !== undefined && { toOffset: range.to }),
    ...(text !== undefined && { text }),
  }
}

function statusOf(word: string): number {
  if (word === 'none') return 0
  if (!/^\d{1,3}$/.test(word))
    throw usageError(`--status ${word}: is no HTTP status`, 'write 503, or none for attempts without an answer')
  return Number(word)
}

function oneOf(desc: Parameters<typeof enumValue>[0], word: string, flag: string): number {
  const value = enumValue(desc, word)
  if (value !== undefined) return value
  const near = closest(word, enumWords(desc))
  throw usageError(
    `${flag} ${word}: there is no such value`,
    near === undefined ? `there are ${enumWords(desc).join(', ')}` : `did you mean ${near}?`,
  )
}

import {
  type DeliveryState,
  DeliveryStateSchema,
  type Outcome,
  OutcomeSchema,
  type Purpose,
  PurposeSchema,
  type Reason,
  ReasonSchema,
  type Trigger,
  TriggerSchema,
} from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { usageError } from '../cli-error.ts'
import { closest } from '../manifest/closest.ts'
import { childName } from '../names.ts'
import { enumValue, enumWords } from '../output/enum-words.ts'
import { parseTime } from '../point-in-time.ts'
import { parseRange } from '../positions.ts'
import type { Session } from '../session.ts'

/** Flags that select failures by their last attempt. */
export interface FailureFlags {
  readonly status?: readonly string[]
  readonly why?: readonly string[]
  readonly since?: string
  readonly until?: string
  readonly at?: string
  readonly text?: string
}

/** Flags that select attempts or deliveries. */
export interface FilterFlags extends FailureFlags {
  readonly outcome?: readonly string[]
  readonly key?: string
  readonly batch?: string
  readonly group?: string
}

export interface AttemptFlags extends FilterFlags {
  readonly trigger?: readonly string[]
  readonly purpose?: readonly string[]
  readonly worker?: string
}

export interface DeliveryFlags extends FilterFlags {
  readonly state?: readonly string[]
}

/** What every filter of the contract has. */
export function failureFilter({ status, why, since, until, at, text }: FailureFlags, nowMs: number) {
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

export function attemptFilter(session: Session, { trigger, purpose, worker, ...flags }: AttemptFlags) {
  return {
    ...commonFilter(session, flags),
    ...(trigger && { triggers: trigger.map((word) => oneOf(TriggerSchema, word, '--trigger') as Trigger) }),
    ...(purpose && { purposes: purpose.map((word) => oneOf(PurposeSchema, word, '--purpose') as Purpose) }),
    ...(worker !== undefined && { worker }),
  }
}

export function deliveryFilter(session: Session, { state, ...flags }: DeliveryFlags) {
  return {
    ...commonFilter(session, flags),
    ...(state && { states: state.map((word) => oneOf(DeliveryStateSchema, word, '--state') as DeliveryState) }),
  }
}

function commonFilter(session: Session, { outcome, key, batch, group, ...flags }: FilterFlags) {
  return {
    ...failureFilter(flags, session.nowMs()),
    ...(outcome && { outcomes: outcome.map((word) => oneOf(OutcomeSchema, word, '--outcome') as Outcome) }),
    ...(key !== undefined && { key }),
    ...(batch !== undefined && { retryBatch: childName('retryBatches', batch, session.settings.namespace) }),
    ...(group !== undefined && { failureGroup: group }),
  }
}

function statusOf(word: string): number {
  if (word === 'none') return 0
  if (!/^\d{1,3}$/.test(word))
    throw usageError(`--status ${word}: is no HTTP status`, 'write 503, or none for what had no answer')
  return Number(word)
}

/** The value that a word of a flag means; what is near to a word that means none is said. */
export function oneOf(desc: Parameters<typeof enumValue>[0], word: string, flag: string): number {
  const value = enumValue(desc, word)
  if (value !== undefined) return value
  const near = closest(word, enumWords(desc))
  throw usageError(
    `${flag} ${word}: there is no such value`,
    near === undefined ? `there are ${enumWords(desc).join(', ')}` : `did you mean ${near}?`,
  )
}

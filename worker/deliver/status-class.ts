import { Reason } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { StatusAction, type StatusRule } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { PlanError } from './plan-error.ts'
import { choice } from './plan-values.ts'

// What an answer's status means, compiled to one byte per status: the class in the low bits, then two flags.
// Statuses that are listed nowhere are FINAL: so are redirects, which are never followed, and 1xx, which never ends an answer.

/** Neither a success nor worth another attempt. */
export const FINAL = 0
/** The endpoint took the record. */
export const SUCCESS = 1
/** Worth another attempt. */
export const RETRYABLE = 2
/** By a rule: the endpoint does not want the record, which is no failure. */
export const SKIPPED = 3
/** By a rule: the use case is to be paused. */
export const PAUSING = 4
export type StatusClass = typeof FINAL | typeof SUCCESS | typeof RETRYABLE | typeof SKIPPED | typeof PAUSING

/** Status of an attempt that got no answer. */
export const NO_ANSWER = 0

const CLASS_MASK = 7
const RECORD_FLAG = 8
const ENDPOINT_FLAG = 16

const SIZE = 600
const defaultSuccess = ['200-299']
const defaultRetryable = ['408', '425', '429', '500-599', '!501']
/** These speak of the record, not of the endpoint: the same record fails again, another one may well be taken. */
const recordStatuses = [400, 409, 413, 415, 422]

const classOfAction = {
  [StatusAction.RETRY]: RETRYABLE,
  [StatusAction.FAIL]: FINAL,
  [StatusAction.SKIP]: SKIPPED,
  [StatusAction.PAUSE]: PAUSING,
} as const

/**
 * Compiles lists such as `200`, `200-299`, `!501`; an empty list means the contract's default. A status in both lists is a success.
 * `!` excludes wherever it stands; a list of nothing but exclusions takes them from the default. Rules stand above both.
 */
export function compileStatusClasses(
  success: readonly string[],
  retryable: readonly string[],
  rules: readonly StatusRule[] = [],
): Uint8Array {
  const classes = new Uint8Array(SIZE)
  const retries = retryable.every((each) => each.startsWith('!')) ? [...defaultRetryable, ...retryable] : retryable
  const included = retries.filter((each) => !each.startsWith('!'))
  const excluded = retries.filter((each) => each.startsWith('!')).map((each) => each.slice(1))
  mark(classes, 'spec.retry.retryable_status', included, RETRYABLE)
  mark(classes, 'spec.retry.retryable_status', excluded, FINAL)
  mark(classes, 'spec.retry.success_status', success.length === 0 ? defaultSuccess : success, SUCCESS)
  for (const [at, { status, action }] of rules.entries())
    mark(
      classes,
      `spec.retry.status_rules[${at}]`,
      status,
      choice(`spec.retry.status_rules[${at}].action`, classOfAction, action),
    )
  classes.fill(FINAL, 0, 200)
  for (const status of recordStatuses) classes[status]! |= RECORD_FLAG
  for (let status = 500; status < SIZE; status++) classes[status]! |= ENDPOINT_FLAG
  classes[429]! |= ENDPOINT_FLAG
  classes[NO_ANSWER] = RETRYABLE | ENDPOINT_FLAG
  return classes
}

function mark(classes: Uint8Array, field: string, ranges: readonly string[], value: StatusClass): void {
  for (const range of ranges) {
    const { first, last } = readStatusRange(field, range)
    classes.fill(value, first, last + 1)
  }
}

/** `200` or `200-299`, both ends included. */
export function readStatusRange(field: string, range: string): { readonly first: number; readonly last: number } {
  const match = /^([1-5]\d\d)(?:-([1-5]\d\d))?$/.exec(range)
  const first = Number(match?.[1])
  const last = Number(match?.[2] ?? match?.[1])
  if (!(first <= last))
    throw new PlanError('INVALID', field, `has ${JSON.stringify(range)}, which is no status or range of statuses`)
  return { first, last }
}

/** NO_ANSWER is RETRYABLE. */
export function statusClass(classes: Uint8Array, status: number): StatusClass {
  return status < SIZE ? ((classes[status]! & CLASS_MASK) as StatusClass) : FINAL
}

/** Whether the answer speaks of the record: giving up is then cheap. */
export function speaksOfRecord(classes: Uint8Array, status: number): boolean {
  return status < SIZE && (classes[status]! & RECORD_FLAG) !== 0
}

/** Whether the breaker counts it against the endpoint: no answer, 429, or 5xx that is neither a success nor has a meaning by a rule. */
export function failsEndpoint(classes: Uint8Array, status: number): boolean {
  if (status >= SIZE) return false
  const entry = classes[status]!
  const given = entry & CLASS_MASK
  return (entry & ENDPOINT_FLAG) !== 0 && (given === FINAL || given === RETRYABLE)
}

/** The reason that goes with an answer's class. What got no answer has its reason from its error. */
export const statusReason = (given: StatusClass): Reason => reasonOfClass[given]

const reasonOfClass = {
  [FINAL]: Reason.NON_RETRYABLE_STATUS,
  [SUCCESS]: Reason.UNSPECIFIED,
  [RETRYABLE]: Reason.RETRYABLE_STATUS,
  [SKIPPED]: Reason.STATUS_SKIPPED,
  [PAUSING]: Reason.STATUS_PAUSED,
} as const

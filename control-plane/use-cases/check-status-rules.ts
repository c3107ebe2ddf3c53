import { StatusAction, type StatusRule } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { checkStatusRanges } from './check-status-ranges.ts'
import { statusesOf, statusRuns } from './status-ranges.ts'
import { someOf, type Violation } from './violation.ts'

const path = 'use_case.spec.retry.status_rules'

/** Each rule by itself, and that no status has two meanings. */
export function checkStatusRules(rules: readonly StatusRule[]): Violation[] {
  const seen = new Set<number>()
  return rules.flatMap((rule, at) => {
    const statuses = statusesOf(rule.status)
    const twice = new Set([...statuses].filter((status) => seen.has(status)))
    for (const status of statuses) seen.add(status)
    return [
      ...checkStatusRanges(`status_rules[${at}].status`, rule.status),
      ...checkTwice(`${path}[${at}].status`, twice),
      ...checkRetryOnly(`${path}[${at}]`, rule),
    ]
  })
}

function checkTwice(field: string, twice: ReadonlySet<number>): Violation[] {
  if (twice.size === 0) return []
  const description = `${field} must not have what an earlier rule has; both have ${someOf(statusRuns(twice))}: take it out of one of them`
  return [{ field, description, reason: 'STATUS_OVERLAP' }]
}

function checkRetryOnly(path: string, { action, interval, maxRetries }: StatusRule): Violation[] {
  if (action === StatusAction.RETRY || action === StatusAction.UNSPECIFIED) return []
  const given = [
    ['interval', interval],
    ['max_retries', maxRetries],
  ] as const
  return given
    .filter(([, value]) => value !== undefined)
    .map(([name]) => {
      const field = `${path}.${name}`
      const description = `${field} must not be set for another action than RETRY: leave it out`
      return { field, description, reason: 'STATUS_RULE' }
    })
}

import type { RetryBatch, RetryFilter } from '../../proto/gen/ferry/v1/retry_batch_pb.ts'
import { checkOffsetFilter, timeMs } from '../attempts/offset-filter.ts'
import type { Violation } from '../attempts/query-error.ts'
import { checkGivenOffsets } from './given-offsets.ts'

/** Callers' clocks may be ahead by so much. */
const aheadMsMax = 60_000

/** What the contract's own rules cannot say of a batch that is to be planned or made: every mistake. */
export function checkBatch({ filter, asOfTime }: RetryBatch, nowMs: number): Violation[] {
  const path = 'retry_batch.filter'
  const violations = filter ? [...checkOffsetFilter(filter, path), ...checkGivenOffsets(filter, path)] : []
  if (asOfTime && timeMs(asOfTime) > nowMs + aheadMsMax) {
    const field = 'retry_batch.as_of_time'
    const description = `${field} must not be in the future: what fails later cannot be selected yet. Leave it out for now`
    violations.push({ field, description, reason: 'TIME_ORDER' })
  }
  return violations
}

/** Whether the filter says nothing about failures: then what is missing may be meant as well. */
export const namesPlacesOnly = (filter: RetryFilter | undefined): boolean =>
  filter !== undefined &&
  filter.statuses.length + filter.reasons.length + filter.text.length + filter.failureGroup.length === 0 &&
  filter.fromTime === undefined &&
  filter.toTime === undefined

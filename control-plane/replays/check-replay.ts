import type { Replay } from '../../proto/gen/ferry/v1/replay_pb.ts'
import type { EgressRules } from '../../runtime/egress-rules.ts'
import { timeMs } from '../attempts/offset-filter.ts'
import type { Violation } from '../attempts/query-error.ts'
import { checkUrl } from '../use-cases/check-url.ts'

/** What the contract's own rules cannot say of a replay that is to be made: every mistake. */
export function checkReplay(replay: Replay, egress: EgressRules): Violation[] {
  const violations: Violation[] = []
  const add = (name: string, reason: Violation['reason'], rule: string): void => {
    violations.push({ field: `replay.${name}`, description: `replay.${name} ${rule}`, reason })
  }
  const { ranges, fromTime, toTime, url, withCredentials } = replay
  if (ranges.length > 0 && fromTime)
    add('from_time', 'FIELDS_CONFLICT', 'must not be given together with ranges: choose by offsets or by time')
  if (ranges.length === 0 && !fromTime)
    add('ranges', 'RANGE_EMPTY', 'must say which offsets, or from_time from when on: nothing is sent again by mistake')
  if (toTime && !fromTime) add('to_time', 'FIELDS_CONFLICT', 'needs from_time')
  if (fromTime && toTime && timeMs(fromTime) >= timeMs(toTime)) add('to_time', 'TIME_ORDER', 'must be after from_time')
  if (withCredentials && url === '')
    add('with_credentials', 'FIELDS_CONFLICT', "needs url: the use case's own endpoint gets its credentials anyway")
  const seen = new Set<number>()
  for (const [at, { partition, fromOffset, toOffset }] of ranges.entries()) {
    if (seen.has(partition))
      add(`ranges[${at}].partition`, 'PARTITION_DUPLICATE', `is ${partition} once more: give each partition once`)
    seen.add(partition)
    if (fromOffset !== undefined && toOffset !== undefined && fromOffset >= toOffset)
      add(`ranges[${at}].to_offset`, 'OFFSET_ORDER', `must be above from_offset (${fromOffset}); it is ${toOffset}`)
  }
  if (url !== '')
    for (const { field, description } of checkUrl('replay.url', url, egress, 'by with_credentials'))
      violations.push({ field, description, reason: 'URL_REFUSED' })
  return violations
}

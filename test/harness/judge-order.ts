import type { Problems } from './problems.ts'
import type { TopicRecord } from './read-topic.ts'
import { isSuccess, type Received, recordName } from './received.ts'

/**
 * Order, in round 0; of a partition as if all its records had one key. The records of a key succeed in the order of their offsets, counting each record's first success. Without
 * a crash also their requests come in that order: nothing of a key is sent while an earlier record of it has not ended.
 */
export function judgeOrder(
  partitionOrder: boolean,
  records: readonly TopicRecord[],
  requests: readonly Received[],
  crashed: boolean,
  problems: Problems,
): void {
  const keyOf = ({ key }: TopicRecord): string | undefined => (partitionOrder ? 'of the partition' : key)
  const keys = new Map(
    records.flatMap((each) => {
      const key = keyOf(each)
      return key === undefined ? [] : [[recordName(each), key]]
    }),
  )
  const first = requests.filter((each) => each.round === 0)
  const answered = first.filter(isSuccess).sort((a, b) => a.answerOrder - b.answerOrder)
  judgeRising(answered, keys, true, 'records of a key that succeeded after a later one', problems)
  // The records of one request come in their order: what counts is where it begins.
  const begun = partitionOrder ? first.filter((each) => each.batch.indexOf(each) <= 0) : first
  if (!crashed) judgeRising(begun, keys, false, 'requests sent while an earlier record of the key had not ended', problems)
}

function judgeRising(
  requests: readonly Received[],
  keys: ReadonlyMap<string, string>,
  firstOnly: boolean,
  problem: string,
  problems: Problems,
): void {
  const highest = new Map<string, number>()
  const seen = new Set<string>()
  for (const request of requests) {
    const name = recordName(request)
    const key = keys.get(name)
    if (key === undefined || (firstOnly && seen.has(name))) continue
    seen.add(name)
    const lane = `${request.partition} ${key}`
    const before = highest.get(lane) ?? -1
    if (request.offset < before) problems.add(problem, `${name} of key ${key} after ${before}`)
    highest.set(lane, Math.max(before, request.offset))
  }
}

import { Ordering, type UseCase } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import type { Fleet } from './fleet.ts'
import { judgeOffsets, type OffsetCounts } from './judge-offsets.ts'
import { judgeOrder } from './judge-order.ts'
import { judgeRequests, type RequestCounts } from './judge-requests.ts'
import { Problems } from './problems.ts'
import { type Log, readLog } from './read-log.ts'
import { readTopic, type TopicRecord } from './read-topic.ts'
import { type Received, recordName } from './received.ts'
import type { Topic } from './topic.ts'

/** What each side has seen, without asking Ferry. */
export interface Evidence {
  readonly records: readonly TopicRecord[]
  /** Per partition the offset after the last. */
  readonly ends: ReadonlyMap<number, number>
  readonly requests: readonly Received[]
  readonly log: Log
  readonly keyOrder: boolean
  /** As if all records of a partition had one key. */
  readonly partitionOrder?: boolean
  /** A worker was killed or frozen: rows of what is sent again may be lost, and order holds for first successes only. */
  readonly crashed: boolean
  /** JSON values are passed on byte by byte. */
  readonly bodiesAsPublished: boolean
}

export interface Judgement extends OffsetCounts, RequestCounts {
  /** What does not hold, in words. Empty: every promise was kept. */
  readonly problems: readonly string[]
  readonly records: number
  readonly requests: number
  readonly attempts: number
}

/** The independent judge: no code of the product decides here. */
export function judgeEvidence(evidence: Evidence): Judgement {
  const { records, ends, requests, log, keyOrder, partitionOrder = false, crashed } = evidence
  const problems = new Problems()
  const offsets = judgeOffsets(records, ends, log, problems)
  const answers = judgeRequests(requests, log, crashed, problems)
  if (keyOrder || partitionOrder) judgeOrder(partitionOrder, records, requests, crashed, problems)
  judgeBodies(evidence, problems)
  const counts = { records: records.length, requests: requests.length, attempts: log.attempts.length }
  return { ...counts, ...offsets, ...answers, problems: problems.lines() }
}

function judgeBodies({ records, requests, bodiesAsPublished }: Evidence, problems: Problems): void {
  const values = new Map(records.map((each) => [recordName(each), each.value]))
  for (const request of requests) {
    const name = recordName(request)
    if (!values.has(name)) problems.add('requests of offsets that are no record', name)
    else if (bodiesAsPublished && values.get(name)?.toString() !== request.body)
      problems.add('bodies that differ from the record', name)
  }
}

type HasRequests = Pick<Evidence, 'requests'>

/** Reads topic and log, and judges. Ask for it when the certificate is complete. */
export async function judge(
  fleet: Fleet,
  useCase: UseCase,
  topic: Topic,
  endpoint: HasRequests | readonly HasRequests[],
  { crashed = false }: { readonly crashed?: boolean } = {},
): Promise<Judgement> {
  const [records, ends, log] = await Promise.all([readTopic(topic), topic.endOffsets(), readLog(fleet.sql, useCase.uid)])
  const requests = [endpoint].flat().flatMap((each) => (each as HasRequests).requests)
  const { decode, delivery } = useCase.spec!
  const keyOrder = delivery?.ordering === Ordering.KEY
  const partitionOrder = delivery?.ordering === Ordering.PARTITION
  const bodiesAsPublished = decode?.format.case === 'json'
  return judgeEvidence({ records, ends, requests, log, keyOrder, partitionOrder, crashed, bodiesAsPublished })
}

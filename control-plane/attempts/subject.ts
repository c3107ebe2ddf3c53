import { Ordering, type UseCase } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import type { LaneId } from '../../runtime/lane-keys.ts'

/** A use case, as far as those who read its log and its lanes need to know it. */
export interface Subject {
  /** `namespaces/{namespace}/useCases/{id}`. */
  readonly name: string
  readonly uid: string
  readonly cluster: string
  readonly topic: string
  /** Records of one key go one after the other: in KEY order, and in PARTITION order, too. */
  readonly keyOrder: boolean
}

export function subjectOf(useCase: UseCase): Subject {
  const source = useCase.spec?.source
  return {
    name: useCase.name,
    uid: useCase.uid,
    cluster: source?.cluster || 'default',
    topic: source?.topic ?? '',
    keyOrder: (useCase.spec?.delivery?.ordering ?? Ordering.UNORDERED) > Ordering.UNORDERED,
  }
}

export const laneOf = (subject: Subject, partition: number): LaneId => ({
  uid: subject.uid,
  cluster: subject.cluster,
  topic: subject.topic,
  partition,
})

/** A use case's rows in the tables that are sorted by offset. */
export const topicSql = 'uid = {uid: String} AND cluster = {cluster: String} AND topic = {topic: String}'

/** The same in tables that replays write to as well: not theirs. */
export const subjectSql = `${topicSql} AND replay = ''`

export const subjectParams = ({ uid, cluster, topic }: Subject) => ({ uid, cluster, topic })

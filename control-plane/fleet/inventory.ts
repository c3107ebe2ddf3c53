import { type LaneId, laneKey } from '../../runtime/lane-keys.ts'
import type { LoggedLane } from './lane-log.ts'
import { type LaneOrigin, laneOrigin } from './lane-origin.ts'
import type { LaneHead } from './lane-store.ts'
import { type RegisterParts, registerLanes, resolveStarts } from './register-lanes.ts'
import { laneOf, type ViewedUseCase } from './use-case-view.ts'

export interface FoundLane {
  readonly id: LaneId
  readonly key: string
  /** Undefined: Redis has lost it, and its worker will rebuild it. */
  readonly head: LaneHead | undefined
  /** Its first state was written just now. */
  readonly isFirst: boolean
}

export interface Survey {
  readonly lanes: readonly FoundLane[]
  /** Lanes of which only an operator knows where they go on. */
  readonly undecided: readonly LaneId[]
  /** By partition, why Kafka does not say where its lane begins. */
  readonly unanswered: ReadonlyMap<number, string>
  /** False: the topic does not exist. */
  readonly hasTopic: boolean
}

export type PartitionsOf = (cluster: string, topic: string) => Promise<readonly number[] | undefined>

/**
 * Finds the lanes of a use case that are not known yet, and registers those that are new. `known` are the use case's lanes that the
 * leader has already. Throws FleetError when Kafka, the log or Redis does not answer; then the next survey goes on.
 */
export async function survey(
  useCase: ViewedUseCase,
  known: ReadonlySet<string>,
  partitionsOf: PartitionsOf,
  parts: RegisterParts,
): Promise<Survey> {
  const partitions = await partitionsOf(useCase.cluster, useCase.topic)
  if (partitions === undefined) return { lanes: [], ...nothing, hasTopic: false }
  const own = useCase.ends === undefined ? partitions : partitions.filter((partition) => useCase.ends!.has(partition))
  const unknown = own.map((partition) => laneOf(useCase, partition)).filter((lane) => !known.has(laneKey(lane)))
  const heads = await parts.store.readHeads(unknown)
  const lanes = unknown.flatMap((id, index) => (heads[index] === undefined ? [] : [foundLane(id, heads[index], false)]))
  const absent = unknown.filter((_id, index) => heads[index] === undefined)
  // What is being deleted gets no new lanes.
  if (absent.length === 0 || useCase.state === 'DELETING') return { lanes, ...nothing, hasTopic: true }
  const isKnown = known.size > 0 || lanes.length > 0
  const { added, undecided, unanswered } = await settleAbsent(useCase, absent, isKnown, parts)
  return { lanes: [...lanes, ...added], undecided, unanswered, hasTopic: true }
}

const nothing = { undecided: [], unanswered: new Map<number, string>() }

const foundLane = (id: LaneId, head: LaneHead | undefined, isFirst: boolean): FoundLane => ({
  id,
  key: laneKey(id),
  head,
  isFirst,
})

async function settleAbsent(
  useCase: ViewedUseCase,
  absent: readonly LaneId[],
  isKnown: boolean,
  parts: RegisterParts,
): Promise<{ added: FoundLane[]; undecided: LaneId[]; unanswered: ReadonlyMap<number, string> }> {
  const { groupOffsets, logged } = await readTraces(useCase, absent, parts)
  const origins = new Map<LaneId, LaneOrigin>(
    absent.map((id) => {
      const traces = { head: undefined, groupOffset: groupOffsets.get(id.partition), logged: logged.get(id.partition) }
      return [id, laneOrigin(traces)]
    }),
  )
  const of = (kind: LaneOrigin['kind']): LaneId[] => absent.filter((id) => origins.get(id)!.kind === kind)
  const fresh = of('NEW').map((id) => id.partition)
  const hasTraces = groupOffsets.size > 0 || logged.size > 0
  const { starts, unanswered } =
    fresh.length > 0
      ? await resolveStarts(useCase, fresh, (isKnown || hasTraces) && useCase.ends === undefined, parts.source)
      : { starts: new Map<number, number>(), unanswered: nothing.unanswered }
  const all = new Map(starts)
  for (const [id, origin] of origins) if (origin.kind === 'BEGUN') all.set(id.partition, origin.start)
  const begun = [...of('NEW'), ...of('BEGUN')].filter((id) => all.has(id.partition))
  const uncommitted = begun.map((id) => id.partition).filter((partition) => !groupOffsets.has(partition))
  if (begun.length > 0) await registerLanes(useCase, all, uncommitted, begun, parts)
  const added = [
    ...begun.map((id) => foundLane(id, undefined, true)),
    ...of('READY').map((id) => foundLane(id, undefined, false)),
  ]
  return { added, undecided: of('NEEDS_DECISION'), unanswered }
}

async function readTraces(
  useCase: ViewedUseCase,
  absent: readonly LaneId[],
  { source, laneLog }: RegisterParts,
): Promise<{ groupOffsets: Map<number, number>; logged: Map<number, LoggedLane> }> {
  const { uid, cluster, topic, group } = useCase
  const partitions = absent.map((id) => id.partition)
  const [offsets, logged] = await Promise.all([
    source.groupOffsets(cluster, group, topic, partitions),
    laneLog.read(uid, cluster, topic),
  ])
  return { groupOffsets: new Map(offsets.map((each) => [each.partition, each.offset])), logged }
}

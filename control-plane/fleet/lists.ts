import { divideEndpoints, type EndpointShares } from './endpoint-shares.ts'
import type { Assignment, EndpointGroup } from './heartbeat.ts'
import type { LaneRecord, LaneTable } from './lane-table.ts'
import type { FleetUseCase } from './plan.ts'
import { laneShares } from './shares.ts'
import type { Workers } from './workers.ts'

/**
 * Writes every worker's list: the lanes given to it with its shares of their use cases' limits. A list that differs from the last
 * one gets a new version; answers the highest version given.
 */
export function buildLists(
  table: LaneTable,
  workers: Workers,
  useCases: ReadonlyMap<string, FleetUseCase>,
  lastVersion: number,
): number {
  const lists = new Map<string, Assignment[]>(workers.all().map((worker) => [worker.instance, []]))
  const lanesOf = byUseCase(table)
  const shares = divideEndpoints(lanesOf, useCases, workers)
  for (const [uid, lanes] of lanesOf) {
    const useCase = useCases.get(uid)
    if (useCase !== undefined) addLanes(lists, useCase, lanes, shares.get(uid)!)
  }
  const leaving = leavingSince(table)
  let version = lastVersion
  for (const worker of workers.all()) {
    const list = lists.get(worker.instance)!
    const isKnown = worker.listVersion > 0 && worker.listVersion >= (leaving.get(worker.instance) ?? 0)
    if (isKnown && isSame(list, worker.list)) continue
    worker.list = list
    worker.listVersion = ++version
    worker.rateClaims.told(version, sharesIn(list))
  }
  return version
}

const sharesIn = (list: readonly Assignment[]): Map<string, number> =>
  new Map(
    list
      .filter((each) => each.rateSharePpm > 0)
      .map(({ id, endpointGroup, rateSharePpm }) => [endpointGroup?.name ?? id.uid, rateSharePpm]),
  )

/** A lane that is to be let go needs a version of its own, also when no list had it: that the worker has seen it is the proof. */
function leavingSince(table: LaneTable): Map<string, number> {
  const since = new Map<string, number>()
  for (const { holding } of table.all()) {
    if (holding.state !== 'LEAVING') continue
    since.set(holding.instance, Math.max(since.get(holding.instance) ?? 0, holding.sinceVersion))
  }
  return since
}

function byUseCase(table: LaneTable): Map<string, LaneRecord[]> {
  const groups = new Map<string, LaneRecord[]>()
  for (const lane of table.all()) {
    const group = groups.get(lane.id.uid)
    if (group === undefined) groups.set(lane.id.uid, [lane])
    else group.push(lane)
  }
  for (const group of groups.values()) group.sort((a, b) => a.id.partition - b.id.partition)
  return groups
}

function addLanes(
  lists: Map<string, Assignment[]>,
  useCase: FleetUseCase,
  lanes: readonly LaneRecord[],
  { inFlight, ratePpm, group }: EndpointShares,
): void {
  for (const [index, lane] of lanes.entries()) {
    if (lane.holding.state !== 'GIVEN') continue
    const { instance, epoch, releasedVersion } = lane.holding
    const { parkedMax, parkedBytesMax, creditMax } = laneShares(useCase.parkedMax, useCase.parkedBytesMax, lanes.length, index)
    lists.get(instance)?.push({
      id: lane.id,
      epoch,
      revision: useCase.revision,
      releasedVersion,
      maxInFlight: inFlight.get(instance)!,
      parkedMax,
      parkedBytesMax,
      creditMax,
      rateSharePpm: ratePpm?.get(instance) ?? 0,
      endpointGroup: group,
      endOffset: useCase.ends?.get(lane.id.partition),
    })
  }
}

const fields = [
  ...(['epoch', 'revision', 'releasedVersion', 'maxInFlight', 'parkedMax', 'parkedBytesMax', 'creditMax'] as const),
  ...(['rateSharePpm', 'endOffset'] as const),
] as const

/** Lanes come in the table's order, which does not change: lists are the same when they are so place by place. */
const isSame = (a: readonly Assignment[], b: readonly Assignment[]): boolean =>
  a.length === b.length &&
  a.every((each, index) => {
    const other = b[index]!
    return (
      each.id === other.id &&
      fields.every((field) => each[field] === other[field]) &&
      isSameGroup(each.endpointGroup, other.endpointGroup)
    )
  })

const groupFields = ['name', 'maxInFlight', 'concurrency', 'recordsPerSecond', 'bytesPerSecond'] as const

const isSameGroup = (a: EndpointGroup | undefined, b: EndpointGroup | undefined): boolean =>
  a === b || groupFields.every((field) => a?.[field] === b?.[field])

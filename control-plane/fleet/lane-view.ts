import { LaneCondition, LaneState } from '../../proto/gen/ferry/v1/lane_pb.ts'
import type { LaneId } from '../../runtime/lane-keys.ts'
import type { LaneReport } from './heartbeat.ts'
import type { LaneRecord } from './lane-table.ts'
import { holderOf } from './reconcile.ts'
import type { Session } from './session.ts'
import { decisionText, type SurveyProblem } from './surveys.ts'
import { laneOf, type ViewedUseCase } from './use-case-view.ts'

/** A lane as operators see it. */
export interface LaneView {
  readonly id: LaneId
  readonly useCase: string
  readonly state: LaneState
  readonly condition: LaneCondition
  readonly message: string
  readonly worker: string
  readonly epoch: number
  /** Undefined: nobody has reported them, so they are to be read from where they are stored. */
  readonly figures: LaneFigures | undefined
}

export interface LaneFigures {
  readonly cursor: number
  readonly floor: number
  /** -1 while unknown. */
  readonly endOffset: number
  readonly parked: number
  readonly timeMs: number
}

/** Lanes of a use case by partition, those included that cannot be found or given now. No I/O. */
export function viewLanes(session: Session, useCase: ViewedUseCase, nowMs: number): LaneView[] {
  const { core, surveys } = session
  const views = core.table.ofUseCase(useCase.uid).map((lane) => viewOne(session, useCase, lane, nowMs))
  for (const partition of surveys.undecidedOf(useCase.uid)) {
    views.push(unassigned(useCase, partition, LaneCondition.NEEDS_DECISION, decisionText(useCase.group)))
  }
  for (const [partition, why] of surveys.unansweredOf(useCase.uid)) {
    const message = `Kafka does not say what the partition has (${why}): its lane begins as soon as it does`
    views.push(unassigned(useCase, partition, LaneCondition.SOURCE_ERROR, message))
  }
  const problem = surveys.problemOf(useCase.uid)
  // No lane is known at all: every topic has a partition 0, and it says why.
  if (views.length === 0 && problem !== undefined) {
    views.push(unassigned(useCase, 0, conditionOf(problem), problem.message))
  }
  return views.sort((a, b) => a.id.partition - b.id.partition)
}

function unassigned(useCase: ViewedUseCase, partition: number, condition: LaneCondition, message: string): LaneView {
  const id = laneOf(useCase, partition)
  const state = LaneState.UNASSIGNED
  return { id, useCase: useCase.name, state, condition, message, worker: '', epoch: 0, figures: undefined }
}

function viewOne(session: Session, useCase: ViewedUseCase, lane: LaneRecord, nowMs: number): LaneView {
  const { holding } = lane
  const instance = holding.state === 'GRANTING' ? undefined : holderOf(holding)
  const report = instance === undefined ? undefined : session.core.workers.get(instance)?.reports.get(lane.key)
  const common = { id: lane.id, useCase: useCase.name, worker: instance ?? '', epoch: 'epoch' in holding ? holding.epoch : 0 }
  if (report !== undefined) {
    const { condition, message } = heldCondition(useCase, report)
    return { ...common, state: stateOfReport[report.state], condition, message, figures: figuresOf(report) }
  }
  if (holding.state === 'GIVEN') return { ...common, state: LaneState.STARTING, ...nothing, figures: undefined }
  if (holding.state === 'LEAVING') return { ...common, state: LaneState.DRAINING, ...nothing, figures: undefined }
  if (holding.state === 'INHERITED') {
    const message = `${instance} held it last, and this leader has not heard of it yet: the lane waits for it, or for the end of its lease`
    return { ...common, state: LaneState.UNSPECIFIED, condition: LaneCondition.UNSPECIFIED, message, figures: undefined }
  }
  return { ...common, state: LaneState.UNASSIGNED, ...freeCondition(session, useCase, lane, nowMs), figures: undefined }
}

const nothing = { condition: LaneCondition.UNSPECIFIED, message: '' }

/** A lane that is held says itself what holds it back, but for what its worker does not know. */
const heldCondition = (useCase: ViewedUseCase, report: LaneReport): { condition: LaneCondition; message: string } =>
  useCase.state === 'PAUSED'
    ? { condition: LaneCondition.PAUSED, message: '' }
    : { condition: report.condition as LaneCondition, message: report.message }

function freeCondition(
  { core, surveys }: Session,
  useCase: ViewedUseCase,
  lane: LaneRecord,
  nowMs: number,
): { condition: LaneCondition; message: string } {
  if (useCase.state === 'PAUSED') return { condition: LaneCondition.PAUSED, message: '' }
  if (lane.problem !== undefined) return { condition: LaneCondition.NEEDS_DECISION, message: lane.problem }
  const accepting = core.workers.all().filter((worker) => core.workers.accepts(worker, nowMs))
  if (accepting.length === 0) {
    return { condition: LaneCondition.NO_WORKER, message: 'no worker is alive that takes lanes: start one' }
  }
  const { lanesPerWorkerMax } = core
  if (accepting.every((worker) => worker.list.length >= lanesPerWorkerMax)) {
    const message = `every worker holds ${lanesPerWorkerMax} lanes, as many as it may (FERRY_LANES_PER_WORKER_MAX): start another`
    return { condition: LaneCondition.NO_WORKER, message }
  }
  const problem = surveys.problemOf(useCase.uid)
  return problem === undefined ? nothing : { condition: conditionOf(problem), message: problem.message }
}

function conditionOf({ code }: SurveyProblem): LaneCondition {
  switch (code) {
    case 'SOURCE_UNAVAILABLE':
      return LaneCondition.SOURCE_ERROR
    case 'LOG_UNAVAILABLE':
      return LaneCondition.LOG_UNAVAILABLE
    default:
      return LaneCondition.STATE_UNAVAILABLE
  }
}

const stateOfReport = {
  STARTING: LaneState.STARTING,
  RUNNING: LaneState.RUNNING,
  DRAINING: LaneState.DRAINING,
  RELEASED: LaneState.RELEASED,
  LOST: LaneState.LOST,
} as const

const figuresOf = ({ cursor, floor, endOffset, parked, reportTimeMs }: LaneReport): LaneFigures => ({
  cursor,
  floor,
  endOffset,
  parked,
  timeMs: reportTimeMs,
})

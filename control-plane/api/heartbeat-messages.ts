import { create } from '@bufbuild/protobuf'
import { durationFromMs, timestampMs } from '@bufbuild/protobuf/wkt'
import { type LaneId as LaneIdMessage, LaneState } from '../../proto/gen/ferry/v1/lane_pb.ts'
import {
  type HeartbeatRequest,
  type HeartbeatResponse,
  HeartbeatResponseSchema,
  type LaneReport as LaneReportMessage,
} from '../../proto/gen/ferry/v1/worker_service_pb.ts'
import { type LaneId, laneKey } from '../../runtime/lane-keys.ts'
import type { Assignment, EndpointGroup, Heartbeat, HeartbeatReply, LaneReport, ReportedState } from '../fleet/heartbeat.ts'

/** The contract's heartbeat in its plain form. */
export function readHeartbeat(request: HeartbeatRequest, wallMs: number): Heartbeat {
  return {
    instance: request.instance,
    sequence: Number(request.sequence),
    description: request.description,
    startTimeMs: request.startTime === undefined ? 0 : timestampMs(request.startTime),
    draining: request.draining,
    lanes: request.lanes.map((lane) => readReport(lane, wallMs)),
    complete: request.complete,
    assignmentVersion: Number(request.assignmentVersion),
  }
}

const states: Partial<Record<LaneState, ReportedState>> = {
  [LaneState.STARTING]: 'STARTING',
  [LaneState.RUNNING]: 'RUNNING',
  [LaneState.DRAINING]: 'DRAINING',
  [LaneState.RELEASED]: 'RELEASED',
  [LaneState.LOST]: 'LOST',
}

function readReport(report: LaneReportMessage, reportTimeMs: number): LaneReport {
  const id = readLaneId(report.id!)
  return {
    id,
    key: laneKey(id),
    epoch: Number(report.epoch),
    // A state that this build does not know is one of a lane that is held.
    state: states[report.state] ?? 'RUNNING',
    condition: report.condition,
    message: report.message,
    cursor: Number(report.cursor),
    floor: Number(report.floor),
    endOffset: Number(report.endOffset),
    parked: Number(report.parked),
    releasedVersion: Number(report.releasedVersion),
    seenEpoch: Number(report.seenEpoch),
    revision: Number(report.revision),
    rateSharePpm: report.rateSharePpm,
    liveDemandPpm: report.liveDemandPpm,
    reportTimeMs,
  }
}

const readLaneId = ({ uid, cluster, topic, partition }: LaneIdMessage): LaneId => ({ uid, cluster, topic, partition })

/** The reply as the contract has it. */
export function writeReply(reply: HeartbeatReply): HeartbeatResponse {
  const response = create(HeartbeatResponseSchema, {
    assignmentVersion: BigInt(reply.assignmentVersion),
    changed: reply.assignments !== undefined,
    assignments: reply.assignments?.map(writeAssignment) ?? [],
    acknowledged: reply.acknowledged.map(({ id, epoch }) => ({ id, epoch: BigInt(epoch) })),
    inboxes: [...reply.inboxes],
    nextInterval: durationFromMs(reply.nextIntervalMs),
    sendComplete: reply.sendComplete,
    drain: reply.drain,
  })
  return response
}

const writeAssignment = (assignment: Assignment) => ({
  id: assignment.id,
  epoch: BigInt(assignment.epoch),
  revision: BigInt(assignment.revision),
  releasedVersion: BigInt(assignment.releasedVersion),
  maxInFlight: assignment.maxInFlight,
  parkedMax: BigInt(assignment.parkedMax),
  parkedBytesMax: BigInt(assignment.parkedBytesMax),
  creditMax: assignment.creditMax,
  rateSharePpm: assignment.rateSharePpm,
  ...(assignment.endOffset === undefined ? {} : { endOffset: BigInt(assignment.endOffset) }),
  ...(assignment.endpointGroup && { endpointGroup: writeGroup(assignment.endpointGroup) }),
})

function writeGroup({ name, maxInFlight, concurrency, recordsPerSecond, bytesPerSecond }: EndpointGroup) {
  const isLimited = recordsPerSecond !== undefined || bytesPerSecond !== undefined
  const rateLimit = {
    ...(recordsPerSecond !== undefined && { recordsPerSecond }),
    ...(bytesPerSecond !== undefined && { bytesPerSecond }),
  }
  return { name, maxInFlight, concurrency, ...(isLimited && { rateLimit }) }
}

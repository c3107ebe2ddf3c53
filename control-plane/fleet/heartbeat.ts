import type { LaneId } from '../../runtime/lane-keys.ts'
import type { GroupLimits } from '../use-cases/endpoint-group.ts'

// The heartbeat's plain form: what a worker says and hears, as the contract's messages without their encoding.

export interface Heartbeat {
  readonly instance: string
  readonly sequence: number
  readonly description: string
  readonly startTimeMs: number
  /** It wants to leave. */
  readonly draining: boolean
  readonly lanes: readonly LaneReport[]
  /** Whether `lanes` are all that it holds. */
  readonly complete: boolean
  /** Version of the last list that it works by; 0 for none. */
  readonly assignmentVersion: number
}

export type ReportedState = 'STARTING' | 'RUNNING' | 'DRAINING' | 'RELEASED' | 'LOST'

export interface LaneReport {
  readonly id: LaneId
  readonly key: string
  readonly epoch: number
  readonly state: ReportedState
  /** Number of the contract's LaneCondition. */
  readonly condition: number
  readonly message: string
  readonly cursor: number
  readonly floor: number
  /** -1 while unknown. */
  readonly endOffset: number
  readonly parked: number
  readonly releasedVersion: number
  readonly seenEpoch: number
  /** Of the use case, by which the lane works. */
  readonly revision: number
  /** The share of the use case's rate limit that its worker works by, in millionths. */
  readonly rateSharePpm: number
  /** LIVE in an endpoint group: what its use case on this worker asks for of the whole limits, in millionths. */
  readonly liveDemandPpm: number
  /** Wall clock of the leader when it heard this. */
  readonly reportTimeMs: number
}

export interface Assignment {
  readonly id: LaneId
  readonly epoch: number
  readonly revision: number
  readonly releasedVersion: number
  readonly maxInFlight: number
  readonly parkedMax: number
  readonly parkedBytesMax: number
  readonly creditMax: number
  /** The worker's share of the rate limit of the use case or its group, in millionths; 0 without a limit. */
  readonly rateSharePpm: number
  /** Undefined: the use case shares its endpoint with no other. */
  readonly endpointGroup: EndpointGroup | undefined
  /** A replay's: records at or above it are not the lane's. */
  readonly endOffset: number | undefined
}

/** Use cases that share an endpoint, and their limits over the whole fleet. */
export interface EndpointGroup extends GroupLimits {
  readonly name: string
}

export interface Release {
  readonly id: LaneId
  readonly epoch: number
}

export interface HeartbeatReply {
  readonly assignmentVersion: number
  /** Undefined: nothing has changed. */
  readonly assignments: readonly Assignment[] | undefined
  readonly acknowledged: readonly Release[]
  readonly inboxes: readonly LaneId[]
  readonly nextIntervalMs: number
  readonly sendComplete: boolean
  /** An operator wants it out, and it has not said yet that it leaves. */
  readonly drain: boolean
}

export const isHeld = (report: LaneReport): boolean => report.state !== 'RELEASED' && report.state !== 'LOST'

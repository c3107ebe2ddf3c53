import type { UseCase } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import type { Logger } from '../../runtime/log.ts'
import type { Redis } from '../../runtime/redis.ts'
import type { FleetTimings } from './fleet-core.ts'
import type { FleetTally } from './fleet-tally.ts'
import type { Grants } from './grants.ts'
import type { LaneLog } from './lane-log.ts'
import type { LaneStore } from './lane-store.ts'
import type { TopicSource } from './topic-source.ts'

/** A use case, or a replay, which is one that ends: by partition, the offsets after its last records. */
export type FleetDefinition = UseCase & { readonly ends?: ReadonlyMap<number, number> }

/** The definitions, as far as the fleet needs them. */
export interface UseCaseSource {
  /**
   * All definitions as of now; cheap when nothing changed. Rejects while an empty Redis may be one that has lost all: then they are
   * first restored from the audit.
   */
  all(): Promise<Iterable<FleetDefinition>>
  /** Resumes what was paused until now. */
  resumeExpired(): Promise<unknown>
  /** Pauses an active use case because of an endpoint's answer, unless it has another revision by now. */
  pauseByAnswer(uid: string, revision: number, reason: string): Promise<unknown>
  /** Removes a use case whose lanes are gone. */
  finishDelete(uid: string): Promise<unknown>
}

export interface SessionTimings extends FleetTimings {
  /** Between two steps of the leader, when nothing happens that calls for one. */
  readonly stepIntervalMs: number
  /** Between two looks at the definitions. */
  readonly useCasesIntervalMs: number
  /** Between two looks at a topic's partitions. */
  readonly partitionsIntervalMs: number
  /** How long lanes of a use case go on that Redis has lost. */
  readonly vanishedGraceMs: number
}

/** What a leader works with. */
export interface SessionParts {
  readonly redis: Redis
  readonly source: TopicSource
  readonly store: LaneStore
  readonly laneLog: LaneLog
  readonly grants: Grants
  readonly useCases: UseCaseSource
  readonly timings: SessionTimings
  readonly tally: FleetTally
  readonly log: Logger
  readonly monotonicMs: () => number
  readonly wallMs: () => number
}

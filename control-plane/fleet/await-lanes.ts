import { setTimeout as sleep } from 'node:timers/promises'
import type { UseCase } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import type { LaneStore } from './lane-store.ts'
import type { TopicSource } from './topic-source.ts'
import { laneOf, viewUseCase } from './use-case-view.ts'
import { within } from './within.ts'

export interface AwaitLanesParts {
  readonly source: TopicSource
  readonly store: LaneStore
}

const pollMs = 25

/**
 * Waits until the leader has written down where every lane of a new use case begins, at most timeoutMs, and never rejects. So a
 * record that is published after the answer to a creation is delivered also when the use case starts at LATEST. When it takes
 * longer, the answer does not wait for it.
 */
export async function awaitLanes(useCase: UseCase, parts: AwaitLanesParts, timeoutMs: number): Promise<void> {
  const timeout = AbortSignal.timeout(timeoutMs)
  await within(untilRegistered(useCase, parts, timeout), timeoutMs, 'registering lanes').catch(() => {})
}

async function untilRegistered(useCase: UseCase, { source, store }: AwaitLanesParts, timeout: AbortSignal): Promise<void> {
  const view = viewUseCase(useCase)
  const partitions = await source.partitions(view.cluster, view.topic)
  const lanes = (partitions ?? []).map((partition) => laneOf(view, partition))
  while (!timeout.aborted && (await store.readHeads(lanes)).includes(undefined)) await sleep(pollMs)
}

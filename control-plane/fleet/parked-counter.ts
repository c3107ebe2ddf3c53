import type { UseCase } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import type { LaneStore } from './lane-store.ts'
import type { TopicSource } from './topic-source.ts'
import { laneOf, viewUseCase } from './use-case-view.ts'

/** Counts what waits in all lanes of a use case. Rejects when Kafka or Redis does not answer. */
export class ParkedCounter {
  readonly #source: TopicSource
  readonly #store: LaneStore

  constructor(source: TopicSource, store: LaneStore) {
    this.#source = source
    this.#store = store
  }

  async count(useCase: UseCase): Promise<number> {
    const view = viewUseCase(useCase)
    const partitions = (await this.#source.partitions(view.cluster, view.topic)) ?? []
    const counts = await this.#store.countParked(partitions.map((partition) => laneOf(view, partition)))
    return counts.reduce((sum, each) => sum + each, 0)
  }
}

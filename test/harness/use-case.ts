import { randomBytes } from 'node:crypto'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { durationFromMs } from '@bufbuild/protobuf/wkt'
import { LaneCondition, LaneState } from '../../proto/gen/ferry/v1/lane_pb.ts'
import type { UseCase, UseCaseSpecSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import type { Endpoint } from './endpoint.ts'
import type { Fleet } from './fleet.ts'
import type { Topic } from './topic.ts'
import { waitUntil } from './wait-until.ts'

type Spec = Omit<MessageInitShape<typeof UseCaseSpecSchema>, '$typeName' | '$unknown'>

const lanesMsMax = 20_000

/** JSON from the topic to the endpoint, with short waits between attempts; `more` over it, field by field. */
export function specOf(topic: Topic, endpoint: Endpoint, more: Partial<Spec> = {}): Spec {
  return {
    source: { topic: topic.name },
    decode: { format: { case: 'json', value: {} } },
    destination: { url: endpoint.url },
    retry: { initialInterval: durationFromMs(100), maximumInterval: durationFromMs(1000) },
    ...more,
  }
}

export const newName = (): string => `namespaces/e2e/useCases/u-${randomBytes(4).toString('hex')}`

/** Registers a use case as a team does, through gRPC. Does not wait for its lanes. */
export async function registerUseCase(fleet: Fleet, spec: Spec, name: string = newName()): Promise<UseCase> {
  const { useCase } = await fleet.client.useCases.createUseCase({ useCase: { name, spec } })
  return useCase!
}

/** Until workers hold all lanes of the use case; answers lane by partition. */
export async function waitForLanes(fleet: Fleet, useCase: UseCase, partitions: number) {
  return waitUntil(`${partitions} lanes of ${useCase.name} run`, lanesMsMax, async () => {
    const { lanes } = await fleet.client.fleet.listLanes({ useCase: useCase.name })
    const running = lanes.filter((lane) => lane.state === LaneState.RUNNING)
    return running.length === partitions && new Map(running.map((lane) => [lane.id!.partition, lane]))
  })
}

/** Until a paused use case's lanes are held by nobody, and say why. */
export const waitForPause = (fleet: Fleet, { name }: UseCase): Promise<unknown> =>
  waitUntil(`the lanes of ${name} rest`, lanesMsMax, async () => {
    const { lanes } = await fleet.client.fleet.listLanes({ useCase: name })
    const isPaused = lanes.map((lane) => lane.state === LaneState.UNASSIGNED && lane.condition === LaneCondition.PAUSED)
    return lanes.length > 0 && isPaused.every(Boolean)
  })

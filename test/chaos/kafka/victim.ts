import { readFile } from 'node:fs/promises'
import { type Lane, LaneCondition } from '../../../proto/gen/ferry/v1/lane_pb.ts'
import type { UseCase } from '../../../proto/gen/ferry/v1/use_case_pb.ts'
import { Endpoint } from '../../harness/endpoint.ts'
import type { Fleet } from '../../harness/fleet.ts'
import type { Topic } from '../../harness/topic.ts'
import { registerUseCase, specOf } from '../../harness/use-case.ts'
import { waitUntil } from '../../harness/wait-until.ts'

const toldMsMax = 30_000

/** A use case whose partition is what breaks, without a load; the scenario says itself what must become of it. */
export class Victim implements AsyncDisposable {
  readonly topic: Topic
  readonly endpoint: Endpoint
  readonly useCase: UseCase
  readonly #fleet: Fleet

  private constructor(fleet: Fleet, topic: Topic, endpoint: Endpoint, useCase: UseCase) {
    this.#fleet = fleet
    this.topic = topic
    this.endpoint = endpoint
    this.useCase = useCase
  }

  static async register(fleet: Fleet, topic: Topic, name?: string): Promise<Victim> {
    const endpoint = await Endpoint.start()
    return new Victim(fleet, topic, endpoint, await registerUseCase(fleet, specOf(topic, endpoint), name))
  }

  async lane(partition: number): Promise<Lane> {
    const { lanes } = await this.#fleet.client.fleet.listLanes({ useCase: this.useCase.name })
    const lane = lanes.find((each) => each.id!.partition === partition)
    if (lane === undefined) throw new Error(`${this.useCase.name} has no lane of partition ${partition}`)
    return lane
  }

  /** Until the lane says by API, log line and metric that its source is at fault, and why; answers the message. */
  async saysWhy(partition: number, why: RegExp): Promise<string> {
    let last: unknown
    const lane = await waitUntil(
      `lane ${partition} says ${why}`,
      toldMsMax,
      async () => {
        const { condition, message } = await this.lane(partition)
        last = { condition, message }
        return condition === LaneCondition.SOURCE_ERROR && why.test(message) && { message }
      },
      () => last,
    )
    await waitUntil('a log line and a metric say it, too', toldMsMax, async () => {
      const logs = await Promise.all(this.#fleet.workers.map((worker) => readFile(worker.errFile, 'utf8')))
      const lines = logs.join('\n').split('\n')
      return lines.some((line) => line.includes(this.useCase.uid) && why.test(line)) && (await this.#countHeldBack()) > 0
    })
    return lane.message
  }

  async #countHeldBack(): Promise<number> {
    const living = this.#fleet.workers.filter((each) => each.exit === undefined)
    const texts = await Promise.all(living.map(async ({ httpUrl }) => (await fetch(`${httpUrl}/metrics`)).text()))
    return texts
      .map((text) => Number(/ferry_lanes_held_back\{condition="source_error"\} (\d+)/.exec(text)?.[1] ?? 0))
      .reduce((sum, each) => sum + each, 0)
  }

  /** Until its lane has no fault. */
  async isWell(partition: number): Promise<void> {
    await waitUntil(`lane ${partition} is well again`, toldMsMax, async () => {
      const { condition } = await this.lane(partition)
      return condition === LaneCondition.UNSPECIFIED
    })
  }

  async delivers(records: number): Promise<void> {
    await waitUntil(
      `${this.useCase.name} has delivered ${records} records`,
      toldMsMax,
      () => this.endpoint.delivered >= records,
      () => ({ delivered: this.endpoint.delivered }),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.endpoint[Symbol.asyncDispose]()
  }
}

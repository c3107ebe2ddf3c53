import { setTimeout as sleep } from 'node:timers/promises'
import { Ordering, type UseCase } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { certificate } from '../harness/certificate.ts'
import { Endpoint } from '../harness/endpoint.ts'
import type { Fleet } from '../harness/fleet.ts'
import { type Judgement, judge } from '../harness/judge.ts'
import { Load } from '../harness/load.ts'
import type { Behaviour } from '../harness/received.ts'
import { jsonRecords, Topic } from '../harness/topic.ts'
import { registerUseCase, specOf, waitForLanes } from '../harness/use-case.ts'
import { waitUntil } from '../harness/wait-until.ts'
import type { Counts, Repeats } from './result.ts'

export interface FlowOptions {
  readonly ordering?: Ordering
  readonly partitions?: number
  readonly perSecond?: number
  /** How many keys its records have, when it is ordered. */
  readonly keys?: number
  readonly behaviour?: Behaviour
  /** Records that are there before it is registered. */
  readonly publishedBefore?: number
  /** Over one replica and Kafka's defaults. */
  readonly topic?: Parameters<typeof Topic.create>[2]
  /** What its topic is to hold before it is registered. */
  readonly prepare?: (topic: Topic) => Promise<void>
  /** Called when it is registered, before its lanes run. */
  readonly whenRegistered?: () => Promise<void>
  /** Over the fields of specOf. */
  readonly spec?: Parameters<typeof specOf>[2]
}

/** Of five records one is refused once: something always waits for its next attempt. */
export const mostlyGood: Behaviour = ({ offset, attempt }) => ({
  delayMs: 5,
  status: offset % 5 === 0 && attempt === 1 ? 503 : 200,
})

const startMsMax = 60_000
const lateRowsMsMax = 15_000

/** One use case under load, from its topic to its endpoint. */
export class Flow implements AsyncDisposable {
  readonly topic: Topic
  readonly endpoint: Endpoint
  readonly useCase: UseCase
  readonly #fleet: Fleet
  readonly #loads: Load[]
  readonly #perSecond: number
  readonly #keys: number | undefined
  #widest: Topic

  private constructor(fleet: Fleet, topic: Topic, endpoint: Endpoint, useCase: UseCase, perSecond: number, keys: number) {
    this.#fleet = fleet
    this.topic = topic
    this.#widest = topic
    this.endpoint = endpoint
    this.useCase = useCase
    this.#perSecond = perSecond
    this.#keys = this.isKeyed ? keys : undefined
    this.#loads = [Load.start(topic, perSecond, this.#keys)]
  }

  /** Resolves when all of its lanes run and records are published. */
  static async start(fleet: Fleet, options: FlowOptions): Promise<Flow> {
    const { ordering = Ordering.UNORDERED, partitions = 4, perSecond = 250, keys = 200, behaviour = mostlyGood, spec } = options
    const endpoint = await Endpoint.start(behaviour)
    const topic = await Topic.create(fleet.stack.kafkaBrokers, partitions, options.topic)
    const delivery = { ordering, maxInFlight: 16, ...spec?.delivery }
    if (options.publishedBefore !== undefined) await topic.publish(jsonRecords(options.publishedBefore))
    await options.prepare?.(topic)
    const source = { topic: topic.name, ...spec?.source }
    const destination = { url: endpoint.url, ...spec?.destination }
    const useCase = await registerUseCase(
      fleet,
      specOf(topic, endpoint, { ...spec, source, destination, delivery } as typeof spec),
    )
    await options.whenRegistered?.()
    await waitForLanes(fleet, useCase, partitions)
    return new Flow(fleet, topic, endpoint, useCase, perSecond, keys)
  }

  get isKeyed(): boolean {
    return (this.useCase.spec?.delivery?.ordering ?? Ordering.UNORDERED) > Ordering.UNORDERED
  }

  /** Records that its loads have published. */
  get published(): number {
    return this.#loads.reduce((sum, load) => sum + load.published, 0)
  }

  /** Until so many more records are answered with success. */
  async delivers(more: number): Promise<void> {
    const before = this.endpoint.successes
    await waitUntil(`${this.useCase.name} delivers`, startMsMax, () => this.endpoint.successes >= before + more)
  }

  /** Adds partitions, and a load that knows them. */
  async widen(more: number): Promise<void> {
    const count = this.#widest.partitions + more
    await this.topic.admin.createPartitions({ topicPartitions: [{ topic: this.topic.name, count }] })
    const before = this.#widest
    this.#widest = await before.reopen(count)
    this.#loads.push(Load.start(this.#widest, this.#perSecond, this.#keys))
  }

  async #stop(): Promise<void> {
    for (const load of this.#loads) await load.stop()
  }

  /** Stops the load, waits for the certificate, and hears the judge, again while rows may still be late. */
  async finish(promised: Repeats, timeoutMs: number): Promise<Counts> {
    await this.#stop()
    const counts = await certificate(this.#fleet, this.useCase, timeoutMs)
    const hear = () =>
      judge(this.#fleet, this.useCase, this.topic, this.endpoint, { crashed: promised === 'UNLOGGED' || promised === 'COUNTED' })
    const patience = performance.now() + lateRowsMsMax
    let judged = await hear()
    while (judged.problems.length > 0 && performance.now() < patience) {
      await sleep(1000)
      judged = await hear()
    }
    const { delivered, failed, skipped, superseded, missing } = counts
    const { records, requests, repeats, repeatsOfLogged, lostRows } = judged
    return {
      ...{ records, requests, delivered, failed, skipped, superseded, missing, repeats, repeatsOfLogged, lostRows },
      problems: [...judged.problems, ...this.#broken(promised, counts, judged)],
    }
  }

  #broken(
    promised: Repeats,
    { missing }: { readonly missing: number },
    { repeats, repeatsOfLogged, lostAnswers }: Judgement,
  ): string[] {
    return [
      ...(missing > 0 ? [`${missing} records are missing`] : []),
      ...(promised === 'NONE' && repeats > 0 ? [`${repeats} repeats, none are promised`] : []),
      ...(promised === 'LOST_ANSWERS' && repeats > lostAnswers
        ? [`${repeats} repeats, ${lostAnswers} of answers that got lost`]
        : []),
      // In KEY order an end above an earlier open one of its key does not count: it is sent again, although the log has it.
      ...(promised === 'UNLOGGED' && repeatsOfLogged > 0 && !this.isKeyed
        ? [`${repeatsOfLogged} repeats of what the log had`]
        : []),
    ]
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop().catch(() => {})
    if (this.#widest !== this.topic) await this.#widest[Symbol.asyncDispose]()
    await this.topic[Symbol.asyncDispose]()
    await this.endpoint[Symbol.asyncDispose]()
  }
}

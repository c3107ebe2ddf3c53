import { LaneState } from '../../../proto/gen/ferry/v1/lane_pb.ts'
import type { FerryClient } from './ferry-client.ts'
import type { NewServiceStats } from './new-service-contract.ts'

/** What VerifyRange has counted. */
export interface Verification {
  readonly published: number
  readonly delivered: number
  readonly failed: number
  readonly skipped: number
  readonly superseded: number
  readonly onTheWay: number
  readonly missing: number
  readonly repeated: number
  readonly attempts: number
  readonly complete: boolean
}

/** The migration at one moment, as the API and the new service tell it. */
export interface View {
  readonly service: NewServiceStats
  readonly parked: number
  readonly verified: Verification | undefined
  /** Lanes that run, and how many workers hold them. */
  readonly lanes: { readonly running: number; readonly workers: number }
}

type Question = 'lag' | 'lanes' | 'verify'

/** From one question to the next of its kind. */
const intervalsMs: Readonly<Record<Question, number>> = { lag: 500, lanes: 500, verify: 2_000 }

/** Asks both sides how far the migration is. */
export class Observer {
  readonly #client: FerryClient
  readonly #useCase: string
  readonly #service: { stats(): Promise<NewServiceStats> }
  readonly #askedMs = new Map<Question, number>()
  readonly #open = new Set<Question>()
  #failure: unknown
  #parked = 0
  #verified: Verification | undefined
  #lanes = { running: 0, workers: 0 }

  constructor(client: FerryClient, useCase: string, service: { stats(): Promise<NewServiceStats> }) {
    this.#client = client
    this.#useCase = useCase
    this.#service = service
  }

  /** The new service's figures are of now, Ferry's are the last ones that it has answered: nobody waits for a count. */
  async observe(nowMs: number): Promise<View> {
    this.#ask('lag', nowMs, async () => {
      this.#parked = Number((await this.#client.deliveries.getLag({ useCase: this.#useCase })).parked)
    })
    this.#ask('lanes', nowMs, async () => {
      this.#lanes = await this.#countLanes()
    })
    this.#ask('verify', nowMs, async () => {
      this.#verified = await this.verify()
    })
    const service = await this.#service.stats()
    if (this.#failure !== undefined) throw this.#failure
    return { service, parked: this.#parked, verified: this.#verified, lanes: this.#lanes }
  }

  /** Every partition, from where the use case started to Kafka's end now. */
  async verify(): Promise<Verification> {
    const { total, complete } = await this.#client.deliveries.verifyRange({ useCase: this.#useCase })
    return {
      published: Number(total?.published),
      delivered: Number(total?.delivered),
      failed: Number(total?.failed),
      skipped: Number(total?.skipped),
      superseded: Number(total?.superseded),
      onTheWay: Number(total?.onTheWay),
      missing: Number(total?.missing),
      repeated: Number(total?.repeated),
      attempts: Number(total?.attempts),
      complete,
    }
  }

  async #countLanes(): Promise<View['lanes']> {
    const { lanes } = await this.#client.fleet.listLanes({ useCase: this.#useCase })
    const running = lanes.filter((lane) => lane.state === LaneState.RUNNING)
    return { running: running.length, workers: new Set(running.map((lane) => lane.worker)).size }
  }

  #ask(question: Question, nowMs: number, ask: () => Promise<void>): void {
    const askedMs = this.#askedMs.get(question) ?? Number.NEGATIVE_INFINITY
    if (this.#open.has(question) || nowMs - askedMs < intervalsMs[question]) return
    this.#askedMs.set(question, nowMs)
    this.#open.add(question)
    ask().then(
      () => this.#open.delete(question),
      (error: unknown) => {
        this.#failure ??= error
      },
    )
  }
}

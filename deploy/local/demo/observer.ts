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

/** Cheap figures are asked for every time, others less often. */
const intervalsMs = { lag: 500, lanes: 500, verify: 2_000 } as const

/** Asks both sides how far the migration is. */
export class Observer {
  readonly #client: FerryClient
  readonly #useCase: string
  readonly #service: { stats(): Promise<NewServiceStats> }
  readonly #askedMs = { lag: Number.NEGATIVE_INFINITY, lanes: Number.NEGATIVE_INFINITY, verify: Number.NEGATIVE_INFINITY }
  #parked = 0
  #verified: Verification | undefined
  #lanes = { running: 0, workers: 0 }

  constructor(client: FerryClient, useCase: string, service: { stats(): Promise<NewServiceStats> }) {
    this.#client = client
    this.#useCase = useCase
    this.#service = service
  }

  async observe(nowMs: number): Promise<View> {
    if (this.#isDue('lag', nowMs))
      this.#parked = Number((await this.#client.deliveries.getLag({ useCase: this.#useCase })).parked)
    if (this.#isDue('lanes', nowMs)) this.#lanes = await this.#countLanes()
    if (this.#isDue('verify', nowMs)) this.#verified = await this.verify()
    return { service: await this.#service.stats(), parked: this.#parked, verified: this.#verified, lanes: this.#lanes }
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

  #isDue(what: keyof typeof intervalsMs, nowMs: number): boolean {
    if (nowMs - this.#askedMs[what] < intervalsMs[what]) return false
    this.#askedMs[what] = nowMs
    return true
  }
}

import type { LaneId } from '../../runtime/lane-keys.ts'
import type { Logger } from '../../runtime/log.ts'
import { type DeleteParts, deleteLanes } from './delete-lanes.ts'
import type { ViewedUseCase } from './use-case-view.ts'

export interface DeletionsOptions extends DeleteParts {
  readonly log: Logger
  readonly monotonicMs: () => number
  /** Removes what is known of the lanes, and then the use case itself. */
  readonly finish: (useCase: ViewedUseCase, lanes: readonly LaneId[]) => Promise<void>
}

const retryMs = 1000

/** Ends use cases that are being deleted, one at a time. */
export class Deletions {
  readonly #options: DeletionsOptions
  #running: Promise<void> | undefined
  #retryAtMs = 0

  constructor(options: DeletionsOptions) {
    this.#options = options
  }

  /** `lanes` are all of the use case's, held by nobody. Does nothing while another deletion is on its way. */
  start(useCase: ViewedUseCase, lanes: readonly LaneId[]): void {
    if (this.#running !== undefined || this.#options.monotonicMs() < this.#retryAtMs) return
    this.#running = this.#run(useCase, lanes).finally(() => {
      this.#running = undefined
    })
  }

  async idle(): Promise<void> {
    await this.#running
  }

  async #run(useCase: ViewedUseCase, lanes: readonly LaneId[]): Promise<void> {
    const { log, finish, monotonicMs } = this.#options
    try {
      await deleteLanes(useCase, lanes, this.#options)
      await finish(useCase, lanes)
      log.info({ useCase: useCase.name, uid: useCase.uid, lanes: lanes.length }, 'fleet: a use case is deleted')
    } catch (error) {
      this.#retryAtMs = monotonicMs() + retryMs
      log.warn({ useCase: useCase.name, error: String(error) }, 'fleet: a deletion could not be finished, trying again')
    }
  }
}

import { setTimeout as sleep } from 'node:timers/promises'
import { RetryBatchState } from '../../../proto/gen/ferry/v1/retry_batch_pb.ts'
import type { Findings } from './certificate.ts'
import { DemoError } from './demo-error.ts'
import type { Ferry } from './demo-parts.ts'
import { type Flight, summarizeTable } from './flight-table.ts'
import type { NewService } from './new-service-client.ts'
import { Observer, type View } from './observer.ts'
import type { OldService } from './old-service.ts'
import { formatCount, progressLine } from './progress-line.ts'
import { RateWindow } from './rate-window.ts'
import type { Screen } from './screen.ts'

export const partitions = 8
const pollMs = 100
const rateWindowMs = 5_000
/** So long may nothing at all change before the demo gives up. Longer than a dead worker's lease and the longest retry. */
const stallMsMax = 90_000

export interface MigrationOptions {
  readonly useCase: string
  readonly rows: number
  /** As long as the new service was told to be down. */
  readonly outageSeconds: number
  readonly encode: (flight: Flight) => Uint8Array
}

/** The migration itself, once everything is up: publish, watch, kill, fix, retry, verify. */
export class Migration {
  readonly #options: MigrationOptions
  readonly #oldService: OldService
  readonly #newService: NewService
  readonly #ferry: Ferry
  readonly #screen: Screen
  readonly #observer: Observer
  readonly #rate = new RateWindow(rateWindowMs)
  #startedMs = 0
  #publishError: unknown

  constructor(options: MigrationOptions, oldService: OldService, newService: NewService, ferry: Ferry, screen: Screen) {
    this.#options = options
    this.#oldService = oldService
    this.#newService = newService
    this.#ferry = ferry
    this.#screen = screen
    this.#observer = new Observer(ferry.client, options.useCase, newService)
  }

  /** Resolves when every lane runs, and each worker has some. */
  async waitForLanes(): Promise<void> {
    const { workers } = this.#ferry
    await this.#watch(({ lanes }) => lanes.running === partitions && lanes.workers === workers.length, false)
  }

  async run(): Promise<Findings> {
    this.#startedMs = performance.now()
    void this.#publish()
    await this.#watchTransfer()
    const failedBeforeFix = (await this.#observer.verify()).failed
    await this.#newService.fix()
    this.#say('the new service is fixed: it knows every airport now')
    const retried = await this.#retryFailed()
    await this.#watch((view) => view.verified?.complete === true && view.verified.failed === 0, true)
    const seconds = (performance.now() - this.#startedMs) / 1000
    this.#screen.endProgress()
    const service = await this.#newService.stats()
    return {
      useCase: this.#options.useCase,
      published: this.#oldService.published,
      verified: await this.#observer.verify(),
      source: summarizeTable(this.#oldService.file),
      target: summarizeTable(this.#newService.file),
      ...{ failedBeforeFix, retried, seconds },
      repeatedByNextOwner: service.repeatedByNextOwner,
      repeatedBySameOwner: service.repeatedBySameOwner,
      faults: {
        busy: service.busy,
        refused: service.refused,
        outageSeconds: service.outages * this.#options.outageSeconds,
        workerKilled: this.#ferry.workers.at(-1)!.exit?.signal === 'SIGKILL',
      },
    }
  }

  async #publish(): Promise<void> {
    try {
      this.#say(`the old service publishes ${formatCount(this.#options.rows)} rows to ${partitions} partitions`)
      await this.#oldService.publish(this.#options.encode)
      this.#say('all rows are published')
    } catch (error) {
      this.#publishError = error
    }
  }

  /** Until every record has an outcome. Half-way a worker is killed; what else happens is told as it is seen. */
  async #watchTransfer(): Promise<void> {
    const { rows } = this.#options
    const victim = this.#ferry.workers.at(-1)!
    const told = new Set<string>()
    const tellOnce = (when: boolean, what: string): void => {
      if (!when || told.has(what)) return
      told.add(what)
      this.#say(what)
    }
    const isEnded = ({ verified }: View): boolean => verified?.complete === true && verified.published === rows
    await this.#watch((view) => {
      const { service, lanes } = view
      tellOnce(service.refused > 0, 'the new service refuses rows of an airport that it does not know: they fail with 422')
      tellOnce(!service.isUp, 'the new service is down: no listener, no connections')
      const isBack = service.isUp && service.outages > 0
      tellOnce(isBack, 'the new service is up again')
      if (isBack && service.rows >= rows / 2) {
        victim.kill('SIGKILL')
        tellOnce(true, 'half-way: worker 2 is killed with SIGKILL')
      }
      tellOnce(victim.exit !== undefined && lanes.workers === 1 && lanes.running === partitions, 'worker 1 has all lanes')
      return isEnded(view) && victim.exit !== undefined
    }, true)
  }

  /** One call; then its progress until the batch is done. Answers how many rows it has delivered. */
  async #retryFailed(): Promise<number> {
    const { retryBatches } = this.#ferry.client
    const { retryBatch } = await retryBatches.createRetryBatch({
      retryBatch: {
        useCase: this.#options.useCase,
        filter: { statuses: [422] },
        reason: 'the new service knows every airport now',
      },
      requestId: 'after-the-fix',
    })
    if (retryBatch === undefined) throw new DemoError('CreateRetryBatch has answered no batch')
    this.#say(`CreateRetryBatch: ${formatCount(Number(retryBatch.selected))} failed rows go out again`)
    let batch = retryBatch
    await this.#watch(async () => {
      batch = (await retryBatches.getRetryBatch({ name: retryBatch.name })).retryBatch!
      return batch.state === RetryBatchState.DONE
    }, true)
    return Number(batch.delivered)
  }

  /** Looks again and again, shows it, and resolves when `until` says so. */
  async #watch(until: (view: View) => boolean | Promise<boolean>, showProgress: boolean): Promise<View> {
    let seen = ''
    let movedMs = performance.now()
    for (;;) {
      const nowMs = performance.now()
      const view = await this.#observer.observe(nowMs)
      this.#checkAlive()
      if (showProgress) this.#show(view, nowMs)
      if (await until(view)) return view
      const now = JSON.stringify(view)
      if (now !== seen) movedMs = nowMs
      else if (nowMs - movedMs > stallMsMax) throw this.#stalled(view)
      seen = now
      await sleep(pollMs)
    }
  }

  /** Nothing but the worker that the demo kills may end. */
  #checkAlive(): void {
    if (this.#publishError !== undefined) throw this.#publishError
    const { controlPlane, workers } = this.#ferry
    const ended = [controlPlane, ...workers, this.#newService.process].find((each) => each.exit !== undefined)
    if (ended === undefined || (ended === workers.at(-1) && ended.exit?.signal === 'SIGKILL')) return
    throw new DemoError(ended.describeEnd())
  }

  #stalled({ service, lanes, parked, verified }: View): DemoError {
    const arrived = `${formatCount(service.rows)} of ${formatCount(this.#options.rows)} rows have arrived`
    const ferry = `${lanes.running} of ${partitions} lanes run on ${lanes.workers} workers, ${parked} rows are parked, ${verified?.failed} failed`
    return new DemoError(`nothing has moved for ${stallMsMax / 1000} s. ${arrived}; ${ferry}. The logs may say why`)
  }

  #show({ service, parked, verified }: View, nowMs: number): void {
    const { rows } = this.#options
    this.#rate.add(nowMs, service.rows)
    const progress = {
      rows: service.rows,
      rowsTotal: rows,
      rowsPerSecond: this.#rate.perSecond(),
      parked,
      failed: verified?.failed ?? 0,
    }
    this.#screen.progress(progressLine(progress, this.#screen.width), nowMs)
  }

  #say(what: string): void {
    const seconds = Math.floor((performance.now() - this.#startedMs) / 1000)
    const clock = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`
    this.#screen.line(`${this.#screen.paint.dim(clock)}  ${what}`)
  }
}

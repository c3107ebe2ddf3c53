import { setTimeout as sleep } from 'node:timers/promises'
import { backoffMs } from '../../runtime/backoff.ts'
import type { Logger } from '../../runtime/log.ts'
import { Calls } from '../../runtime/metrics/calls.ts'

/** Says whether this process leads; undefined while another does. */
export type Lead = () => { readonly term: number } | undefined

export interface LeaderLoopOptions {
  /** For the log. */
  readonly name: string
  readonly lead: Lead
  readonly intervalMs: number
  /** The longest wait after failures. */
  readonly retryMsMax: number
  /** One round of the work. */
  readonly step: () => Promise<void>
  readonly log: Logger
}

/** Runs a step again and again while this process leads. A step that fails is tried again, later and later. */
export class LeaderLoop {
  readonly rounds = new Calls()
  readonly #options: LeaderLoopOptions
  readonly #stopping = new AbortController()
  #running: Promise<void> | undefined

  constructor(options: LeaderLoopOptions) {
    this.#options = options
  }

  get name(): string {
    return this.#options.name
  }

  start(): void {
    this.#running ??= this.#run()
  }

  /** Ends after the step that is on its way. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { name, lead, intervalMs, retryMsMax, step, log } = this.#options
    const { signal } = this.#stopping
    let failures = 0
    while (!signal.aborted) {
      let waitMs = intervalMs
      try {
        if (lead()) await this.rounds.time(step)
        if (failures > 0) log.info({ failures }, `${name}: goes on`)
        failures = 0
      } catch (error) {
        if (failures++ === 0) log.warn({ error: String(error) }, `${name}: failed, trying again`)
        waitMs = intervalMs + backoffMs(failures, intervalMs, retryMsMax, 0.5 + Math.random() / 2)
      }
      await sleep(waitMs, undefined, { signal }).catch(() => {})
    }
  }
}

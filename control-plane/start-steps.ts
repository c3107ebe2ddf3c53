import { setTimeout as sleep } from 'node:timers/promises'
import { backoffMs } from '../runtime/backoff.ts'
import type { Logger } from '../runtime/log.ts'

/** Something that must have succeeded once before this process serves. */
export interface StartStep {
  /** What it is, for people: "Kafka answers". */
  readonly name: string
  readonly run: () => Promise<void>
}

const retryMsMin = 200
const retryMsMax = 5000

/** Tries every step until it has succeeded, all side by side, and says what is missing meanwhile. */
export class StartSteps {
  readonly #steps: readonly StartStep[]
  readonly #log: Logger
  readonly #stopping = new AbortController()
  readonly #missing = new Map<string, string>()

  constructor(steps: readonly StartStep[], log: Logger) {
    this.#steps = steps
    this.#log = log
    for (const { name } of steps) this.#missing.set(name, 'not tried yet')
  }

  /** Why this process is not ready; none when every step has succeeded. */
  problems(): string[] {
    return [...this.#missing].map(([name, why]) => `${name}: ${why}`)
  }

  /** Resolves when all have succeeded, or after stop(). Rejects when a step says that trying again cannot help. */
  async run(isFatal: (error: unknown) => boolean): Promise<void> {
    await Promise.all(this.#steps.map((step) => this.#one(step, isFatal)))
  }

  stop(): void {
    this.#stopping.abort()
  }

  async #one({ name, run }: StartStep, isFatal: (error: unknown) => boolean): Promise<void> {
    const { signal } = this.#stopping
    for (let failures = 0; !signal.aborted; ) {
      try {
        await run()
        this.#missing.delete(name)
        this.#log.info({ failures }, `start: ${name}`)
        return
      } catch (error) {
        if (isFatal(error)) throw error
        const why = error instanceof Error ? error.message : String(error)
        this.#missing.set(name, `no (${why}); trying again`)
        if (failures++ === 0) this.#log.warn({ error: why }, `start: not yet: ${name}; trying again`)
        await sleep(retryMsMin + backoffMs(failures, retryMsMin, retryMsMax, Math.random()), undefined, { signal }).catch(
          () => {},
        )
      }
    }
  }
}

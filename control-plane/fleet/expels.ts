import type { Logger } from '../../runtime/log.ts'
import type { Redis } from '../../runtime/redis.ts'
import { expel } from './expel.ts'

export interface ExpelsOptions {
  readonly redis: Redis
  readonly expelledForMs: number
  readonly monotonicMs: () => number
  readonly log: Logger
  readonly onExpelled: (instance: string) => void
}

/** The longest wait between two tries: a lease that is let go of is free sooner than it said. */
const retryMsMax = 1000

/** Tries to expel workers that are not heard, one try at a time for each. */
export class Expels {
  readonly #options: ExpelsOptions
  readonly #retryAtMs = new Map<string, number>()
  readonly #trying = new Set<string>()

  constructor(options: ExpelsOptions) {
    this.#options = options
  }

  /** `suspects` are all that are to be expelled now; whoever is no longer among them is forgotten. */
  tryAll(suspects: readonly string[]): void {
    const nowMs = this.#options.monotonicMs()
    for (const instance of this.#retryAtMs.keys()) if (!suspects.includes(instance)) this.#retryAtMs.delete(instance)
    for (const instance of suspects) {
      if (this.#trying.has(instance) || nowMs < (this.#retryAtMs.get(instance) ?? 0)) continue
      this.#trying.add(instance)
      void this.#try(instance).finally(() => this.#trying.delete(instance))
    }
  }

  async #try(instance: string): Promise<void> {
    const { redis, expelledForMs, monotonicMs, log, onExpelled } = this.#options
    try {
      const leftMs = await expel(redis, instance, expelledForMs)
      if (leftMs > 0) {
        this.#retryAtMs.set(instance, monotonicMs() + Math.min(leftMs, retryMsMax))
        return
      }
      log.warn({ worker: instance }, 'fleet: a worker was silent and its lease is over: expelled, its lanes are free')
      onExpelled(instance)
    } catch (error) {
      this.#retryAtMs.set(instance, monotonicMs() + retryMsMax)
      log.warn({ worker: instance, error: String(error) }, 'fleet: could not expel a silent worker, trying again')
    }
  }
}

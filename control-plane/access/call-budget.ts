import { Role } from '../../proto/gen/ferry/v1/access_pb.ts'
import { AccessError } from './access-error.ts'
import type { Identity } from './identity.ts'

export interface CallBudgetOptions {
  readonly callsPerSecondMax: number
  readonly monotonicMs: () => number
}

interface Bucket {
  calls: number
  timeMs: number
}

/** So many seconds' worth may come at once. */
const burstSeconds = 2
/** More are forgotten: tokens come and go. */
const bucketsMax = 10_000

/**
 * Refuses an identity's calls beyond its rate, on this replica. Workers have no limit here: their token is often the same for all of them,
 * each calls once a second, and FERRY_WORKERS_MAX says how many there may be.
 */
export class CallBudget {
  readonly #options: CallBudgetOptions
  /** By name. */
  readonly #buckets = new Map<string, Bucket>()

  constructor(options: CallBudgetOptions) {
    this.#options = options
  }

  /** Throws AccessError LIMIT_EXCEEDED. */
  take({ name, role }: Identity): void {
    if (role === Role.WORKER) return
    const { callsPerSecondMax, monotonicMs } = this.#options
    const timeMs = monotonicMs()
    const full = callsPerSecondMax * burstSeconds
    if (this.#buckets.size >= bucketsMax) this.#buckets.clear()
    const bucket = this.#buckets.get(name) ?? { calls: full, timeMs }
    const calls = Math.min(full, bucket.calls + ((timeMs - bucket.timeMs) / 1000) * callsPerSecondMax)
    if (calls < 1) {
      this.#buckets.set(name, { calls, timeMs })
      throw new AccessError(
        'LIMIT_EXCEEDED',
        `${name} calls more often than ${callsPerSecondMax} times a second (FERRY_CALLS_PER_SECOND_MAX): call again in a second`,
      )
    }
    this.#buckets.set(name, { calls: calls - 1, timeMs })
  }
}

import type { OrderingName } from './arguments.ts'
import type { Payload } from './records.ts'

/** What every way of delivering is given: the same for all of them. */
export interface Load {
  readonly records: number
  readonly payload: Payload
  readonly topic: string
  /** Processes. */
  readonly workers: number
  /** Requests on the way at once, over all processes. */
  readonly inFlight: number
  /** Records in one request of Ferry's; 0: one, and no batches. */
  readonly batch: number
  /** Ferry's; the others keep none within a partition, or must. */
  readonly ordering: OrderingName
}

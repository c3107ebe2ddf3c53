import { Outcome } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { Buckets, requestSeconds, waitSeconds } from '../../runtime/metrics/buckets.ts'
import type { Flight } from '../deliver/flight.ts'
import type { Load } from '../lane/load.ts'
import type { Attempt } from '../record/attempt.ts'
import { rangeKinds } from '../record/range-log.ts'

/** What an attempt came to: the class of its status, or why there is none. */
export const answerClasses = ['2xx', '3xx', '4xx', '5xx', 'timeout', 'aborted', 'error'] as const
const TIMEOUT = answerClasses.indexOf('timeout')
const ABORTED = answerClasses.indexOf('aborted')
const ERROR = answerClasses.indexOf('error')

const outcomesMax = Math.max(...Object.values(Outcome).filter((each) => typeof each === 'number'))

/** What has become of the records of a use case on this worker. Plain numbers: each record pays a few additions. */
export class UseCaseCounts {
  /** Rows of the log by the number of their outcome: an attempt each, or an end without one. */
  readonly outcomes = new Float64Array(outcomesMax + 1)
  /** By the index of answerClasses. */
  readonly answers = new Float64Array(answerClasses.length)
  /** Offsets that have no row of their own, by the number of their kind. */
  readonly skipped = new Float64Array(Math.max(...Object.values(rangeKinds)) + 1)
  readonly requestSeconds = new Buckets(requestSeconds)
  readonly deliverySeconds = new Buckets(waitSeconds)
  rateLimitedMs = 0

  /** A row goes to the log. */
  row({ outcome, round, recordMs, sentMs, latencyUs }: Pick<Attempt, 'outcome' | 'round' | 'recordMs' | 'sentMs' | 'latencyUs'>) {
    this.outcomes[outcome]!++
    // Of what an operator has asked for again, the time says nothing; and a record may have none.
    if (outcome !== Outcome.DELIVERED || round !== 0 || recordMs <= 0) return
    this.deliverySeconds.observe(Math.max(0, sentMs + latencyUs / 1000 - recordMs) / 1000)
  }

  /** A request has come back, and its lane has read the answer: of a batch each delivery has a status of its own. */
  landed({ load, status, cut, sentAt, endedAt }: Pick<Flight<Load>, 'load' | 'status' | 'cut' | 'sentAt' | 'endedAt'>): void {
    this.requestSeconds.observe((endedAt - sentAt) / 1000)
    if (load.batch === undefined) this.#answer(status, cut)
    else for (const { row } of load.batch.items) this.#answer(row.status, cut)
  }

  #answer(status: number, cut: Flight<Load>['cut']): void {
    const group = Math.floor(status / 100) - 2
    const none = cut === 'TIMEOUT' ? TIMEOUT : cut === 'ABORTED' ? ABORTED : ERROR
    this.answers[group >= 0 && group <= 3 ? group : none]!++
  }
}

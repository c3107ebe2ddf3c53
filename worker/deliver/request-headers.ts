import { type LaneId, laneKey, splitUid } from '../../runtime/lane-keys.ts'
import type { TraceContext } from '../../runtime/trace-context.ts'
import { MASK } from './constant-headers.ts'
import type { Plan } from './plan.ts'

// What Ferry says of itself with each request. Few headers: each costs 0.15 us.
//
// idempotency-key  {uid}/{cluster}/{topic}/{partition}/{offset}
//                  Names the delivery: the same at every attempt, in every round, from every worker. Who has taken it may answer
//                  success at once. In a round of a retry batch that asks for keys of its own it ends with `/{batch id}`.
// ferry-use-case   {namespace}/{id}
// ferry-record     {topic}/{partition}/{offset}
// ferry-attempt    {epoch}.{round}.{attempt}
//                  The lane's epoch, 0 or the number of times that a retry batch opened the delivery again, and 1 for the first
//                  request of the round. With the use case's uid and the record it names this one request in the attempt log.
//                  After a crash or a timeout an earlier request may arrive late. A receiver that needs the order of a key keeps the
//                  highest offset that it has taken per key, and in round 0 refuses a lower one, WHATEVER its epoch: a new owner may
//                  repeat an older record under a higher epoch. In later rounds, and with ferry-replay, an operator has asked for the
//                  record again.
// ferry-replay     In a replay its id. Then the idempotency-key is the replay's own: `{uid}~{replay}/...`.
// webhook-id, webhook-timestamp, webhook-signature
//                  In a use case that signs: compile-signing.ts.
// ferry-batch      In a request of several records how many they are. Then ferry-record has the lowest and the highest offset
//                  (`{topic}/{partition}/{lowest}-{highest}`), ferry-attempt is the first record's, there is no tracing, and
//                  idempotency-key ends with the number of records and a digest of their offsets in the order of the body: the same
//                  records sent together again, and only they, have the same key.
// traceparent      From the record's Kafka headers of these names, when they are valid.
// tracestate
//
// They are one flat array, [name, value, ...], which a request slot keeps for ever and fills anew for each request: first the three
// that differ with every record, then what is the same for the whole use case, then tracing.

const IDEMPOTENCY_KEY_AT = 1
const RECORD_AT = 3
const ATTEMPT_AT = 5
/** After the four that are Ferry's own, in a use case with OAuth 2. */
const TOKEN_AT = 9

/** A lane's part of the texts, made once per epoch. */
export interface LaneHeaders {
  readonly keyPrefix: string
  readonly recordPrefix: string
  readonly epochPrefix: string
  /** `{epoch}.0.1`: nearly every request is a first attempt. */
  readonly firstAttempt: string
}

export function prepareLaneHeaders(lane: LaneId, epoch: number): LaneHeaders {
  return {
    keyPrefix: `${laneKey(lane)}/`,
    recordPrefix: `${lane.topic}/${lane.partition}/`,
    epochPrefix: `${epoch}.`,
    firstAttempt: `${epoch}.0.1`,
  }
}

export const attemptText = (lane: LaneHeaders, round: number, attempt: number): string =>
  round === 0 && attempt === 1 ? lane.firstAttempt : `${lane.epochPrefix}${round}.${attempt}`

/** The headers of a request slot, of one revision of a use case. */
export class RequestHeaders {
  /** What is sent: [name, value, ...]. */
  readonly sent: string[]
  /** The same as the log may show it, with credentials masked: the same array when the use case sends none. */
  readonly logged: string[]
  readonly #length: number

  /** appendsSecrets: append() is called with a value that the log may not show. */
  constructor(plan: Plan, hasToken = false, appendsSecrets = false) {
    const { replay } = splitUid(plan.uid)
    const token = [...(hasToken ? ['authorization', MASK] : []), ...(replay === '' ? [] : ['ferry-replay', replay])]
    this.sent = [...names(plan), ...token, ...plan.headers]
    const masked = hasToken || appendsSecrets || plan.loggedHeaders.some((text, at) => text !== plan.headers[at])
    this.logged = masked ? [...names(plan), ...token, ...plan.loggedHeaders] : this.sent
    this.#length = this.sent.length
  }

  /** What the authorization header says, in a use case with OAuth 2. */
  get token(): string {
    return this.sent[TOKEN_AT]!
  }

  set token(header: string) {
    this.sent[TOKEN_AT] = header
  }

  /** Fills the array for the next request. `offset` in decimal. */
  fill(lane: LaneHeaders, offset: string, round: number, attempt: number, trace: TraceContext | undefined): void {
    const { sent } = this
    sent[IDEMPOTENCY_KEY_AT] = lane.keyPrefix + offset
    sent[RECORD_AT] = lane.recordPrefix + offset
    sent[ATTEMPT_AT] = attemptText(lane, round, attempt)
    if (sent.length !== this.#length) sent.length = this.#length
    if (trace !== undefined) {
      sent.push('traceparent', trace.traceparent)
      if (trace.tracestate !== undefined) sent.push('tracestate', trace.tracestate)
    }
    if (this.logged !== sent) this.#copyToLog()
  }

  /** An idempotency key of a retry batch's own, after fill(). */
  renewKey(batch: string): void {
    const { sent, logged } = this
    sent[IDEMPOTENCY_KEY_AT] = logged[IDEMPOTENCY_KEY_AT] = `${sent[IDEMPOTENCY_KEY_AT]}/${batch}`
  }

  /** One header more, for this request only, after fill(). */
  append(name: string, value: string, logged = value): void {
    this.sent.push(name, value)
    if (this.logged !== this.sent) this.logged.push(name, logged)
  }

  /** Fills the array for a batch. `range`: the lowest and the highest offset; `digest`: of all offsets in the order of the body. */
  fillBatch(lane: LaneHeaders, range: string, digest: string, records: number, round: number, attempt: number): void {
    this.fill(lane, range, round, attempt, undefined)
    const { sent, logged } = this
    sent[IDEMPOTENCY_KEY_AT] = logged[IDEMPOTENCY_KEY_AT] = `${lane.keyPrefix}${range}/${records}/${digest}`
    this.append('ferry-batch', String(records))
  }

  #copyToLog(): void {
    const { sent, logged } = this
    for (let at = IDEMPOTENCY_KEY_AT; at <= ATTEMPT_AT; at += 2) logged[at] = sent[at]!
    logged.length = this.#length
    for (let at = this.#length; at < sent.length; at++) logged.push(sent[at]!)
  }
}

const names = (plan: Plan): string[] => [
  ...['idempotency-key', '', 'ferry-record', '', 'ferry-attempt', ''],
  ...['ferry-use-case', `${plan.namespace}/${plan.id}`],
]

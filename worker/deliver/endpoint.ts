import { type AdaptiveLimit, changedLimit } from './adaptive-limit.ts'
import { Breaker, defaultBreakerOptions } from './breaker.ts'
import { changedRate, type RateLimit, type RatePlan } from './rate-limit.ts'
import { type Landed, tellLimit } from './tell-limit.ts'

/** Who sends to an endpoint: one use case on this worker. */
export interface Sender {
  readonly name: string
  /** It takes what others leave. */
  readonly isBackfill: boolean
  /** Requests on the way, the one that is about to start included. */
  readonly inFlight: number
  /** Whether there is something that might be sent. */
  readonly hasWork: boolean
  /** Sends as much as may be sent now. */
  pump(): void
}

/** How many requests may be on the way: this worker's share. */
export interface InFlightShare {
  readonly maxInFlight: number
  /** Of the whole fleet. */
  readonly wholeMaxInFlight: number
  /** Whether it finds out how many of them the endpoint takes. */
  readonly isAdaptive: boolean
}

/** What bounds the requests to one endpoint on this worker. Ask mayStart before each; times are ms of one monotonic clock. */
export interface Endpoint {
  /** Name of the group that has it together; undefined for a use case that has it alone. */
  readonly group: string | undefined
  readonly breaker: Breaker
  /** Slots that a sender may have. */
  readonly maxInFlight: number
  /** Requests that may be on the way now, over all senders. */
  readonly limit: number
  /** What bounds the sender's rate; undefined without a limit. */
  rateOf(sender: Sender): RateLimit | undefined
  mayStart(sender: Sender, now: number): boolean
  /** All slots of the sender are taken: it does not even ask. */
  lacksSlot(sender: Sender, now: number): void
  /** A request is about to start. Answers the breaker's ticket. */
  begin(sender: Sender, now: number): number
  /** It is on the way. */
  started(sender: Sender, now: number): void
  /** So much of the rate is used. */
  sent(sender: Sender, records: number, bytes: number, now: number): void
  /** It has ended; answers whether more may be on the way than before. isBlocked: Ferry itself has refused the connection. */
  answered(sender: Sender, flight: Landed, isBlocked: boolean, wallMs: number): boolean
  /** Before a sender takes what it may: others may come first. */
  letOthersFirst(sender: Sender): void
  /** There is room, which the sender has made or found. */
  pump(sender: Sender, now: number): void
  /** Some times a second. */
  sweep(now: number): void
  /** Why the sender does not go faster, if others are the reason. */
  yieldsTo(sender: Sender, now: number): string | undefined
  /** So much of the whole limits a sender of the group asks for, in millionths, before others have the rest; 0 where nobody has. */
  demandPpm(sender: Sender): number
  shareInFlight(share: InFlightShare): void
  /** ppm: this worker's share of the whole, in millionths. */
  shareRate(plan: RatePlan | undefined, ppm: number, now: number): void
  /** The sender has another URL: what was found out does not count. */
  forget(sender: Sender): void
}

/** The endpoint of one use case that has it alone. */
export class OwnEndpoint implements Endpoint {
  readonly group = undefined
  readonly breaker = new Breaker(defaultBreakerOptions)
  maxInFlight = 1
  adaptive: AdaptiveLimit | undefined
  rate: RateLimit | undefined

  get limit(): number {
    return this.adaptive?.limit ?? this.maxInFlight
  }

  rateOf(): RateLimit | undefined {
    return this.rate
  }

  mayStart(sender: Sender, now: number): boolean {
    if (!this.breaker.mayStart(now)) return false
    if (this.adaptive !== undefined && sender.inFlight > this.adaptive.limit) return false
    // The last to be asked: what it refuses would have been sent.
    return this.rate === undefined || this.rate.mayStart(now)
  }

  lacksSlot(): void {}

  begin(_sender: Sender, now: number): number {
    return this.breaker.started(now)
  }

  started(sender: Sender, now: number): void {
    this.adaptive?.started(sender.inFlight, now)
  }

  sent(_sender: Sender, records: number, bytes: number, now: number): void {
    this.rate?.sent(records, bytes, now)
  }

  answered(_sender: Sender, flight: Landed, isBlocked: boolean, wallMs: number): boolean {
    return this.adaptive !== undefined && tellLimit(this.adaptive, flight, isBlocked, wallMs)
  }

  letOthersFirst(): void {}

  pump(sender: Sender): void {
    sender.pump()
  }

  sweep(): void {}

  yieldsTo(): undefined {}

  demandPpm(): number {
    return 0
  }

  shareInFlight({ maxInFlight, isAdaptive }: InFlightShare): void {
    this.maxInFlight = maxInFlight
    this.adaptive = changedLimit(this.adaptive, isAdaptive, maxInFlight)
  }

  shareRate(plan: RatePlan | undefined, ppm: number, now: number): void {
    this.rate = changedRate(this.rate, plan, ppm, now)
  }

  forget(): void {
    this.adaptive = undefined
  }
}

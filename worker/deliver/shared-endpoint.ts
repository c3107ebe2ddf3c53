import { Allowance } from './allowance.ts'
import { Breaker, defaultBreakerOptions } from './breaker.ts'
import { BACKFILL_PART, ClassRates } from './class-rates.ts'
import type { Endpoint, InFlightShare, Sender } from './endpoint.ts'
import { LiveDemand } from './live-demand.ts'
import type { RateLimit, RatePlan } from './rate-limit.ts'
import { SharedLimit } from './shared-limit.ts'
import type { Landed } from './tell-limit.ts'

// Who of a group sends next, on one worker.
//
//   there is room for a request, and           | it is
//   a LIVE use case waits for it               | that one's; of several by turns
//   none does                                  | BACKFILL's; but while LIVE has sent something lately, the last of several places stays free,
//                                              | so that the next LIVE record need not wait for an answer to BACKFILL
//   LIVE would take every place for long       | BACKFILL's for a twentieth of the time, whatever its requests take
//
// The rate is divided in class-rates.ts.

/** Who was refused within this time is held back. */
const RECENT_MS = 1000
/** LIVE is idle when it has sent nothing for so long. */
const IDLE_MS = 10_000
/** Each member's roster sweeps: once for all is enough. */
const SWEEP_MS = 50
/** Until it is known what a request of BACKFILL takes. */
const GUESSED_MS = 1000

const noRate = { recordsPerSecond: undefined, bytesPerSecond: undefined }

interface Member {
  readonly sender: Sender
  /** What refused it when it asked last. */
  waitsFor: 'BREAKER' | 'SLOT' | 'RATE' | undefined
  /** When it was last refused although it had something to send. */
  heldBackAt: number
  startedAt: number
  readonly demand: LiveDemand
}

/** The endpoint of a group's use cases on this worker: one breaker, one limit of requests and one rate for all, LIVE first. */
export class SharedEndpoint implements Endpoint {
  readonly group: string
  readonly breaker = new Breaker(defaultBreakerOptions)
  maxInFlight = 1
  #wholeMaxInFlight = 1
  /** The group's rate limit over the whole fleet. */
  plan: RatePlan | undefined
  #adaptive: SharedLimit<Sender> | undefined
  readonly #rates = new ClassRates()
  readonly #members = new Map<Sender, Member>()
  #live: Member[] = []
  #backfill: Member[] = []
  #turn = 0
  #sweptAt = Number.NEGATIVE_INFINITY
  #isPumping = false
  /** May start although LIVE waits. */
  #favoured: Member | undefined
  /** Milliseconds of places that BACKFILL may take although LIVE waits. */
  readonly #floor: Allowance
  /** What a request of BACKFILL takes; undefined while none has been answered. */
  #backfillMs: number | undefined

  constructor(group: string, now: number) {
    this.group = group
    this.#floor = new Allowance(0, now, 0)
  }

  get isEmpty(): boolean {
    return this.#members.size === 0
  }

  join(sender: Sender, now: number): void {
    const never = Number.NEGATIVE_INFINITY
    this.#members.set(sender, { sender, waitsFor: undefined, heldBackAt: never, startedAt: never, demand: new LiveDemand(now) })
    this.sort()
  }

  leave(sender: Sender): void {
    this.#members.delete(sender)
    this.#adaptive?.forget(sender)
    this.sort()
  }

  /** A sender may have another class. */
  sort(): void {
    const members = [...this.#members.values()]
    this.#live = members.filter(({ sender }) => !sender.isBackfill)
    this.#backfill = members.filter(({ sender }) => sender.isBackfill)
  }

  get limit(): number {
    return this.#adaptive?.limit ?? this.maxInFlight
  }

  rateOf({ isBackfill }: Sender): RateLimit | undefined {
    return this.#rates.of(isBackfill)
  }

  mayStart(sender: Sender, now: number): boolean {
    const member = this.#members.get(sender)
    // It has left.
    if (member === undefined) return false
    return !this.#waits(member, this.#refusal(member, now), now)
  }

  lacksSlot(sender: Sender, now: number): void {
    const member = this.#members.get(sender)
    if (member !== undefined) this.#waits(member, 'SLOT', now)
  }

  #waits(member: Member, waitsFor: Member['waitsFor'], now: number): boolean {
    member.waitsFor = waitsFor
    const isHeldBack = waitsFor === 'SLOT' || waitsFor === 'RATE'
    if (isHeldBack && now - member.heldBackAt > RECENT_MS / 10 && member.sender.hasWork) member.heldBackAt = now
    return waitsFor !== undefined
  }

  #refusal(member: Member, now: number): Member['waitsFor'] {
    if (!this.breaker.mayStart(now)) return 'BREAKER'
    const { isBackfill } = member.sender
    const isFavoured = member === this.#favoured
    const kept = isBackfill && !isFavoured ? this.#kept(now) : 0
    if (this.#inFlight + kept > this.limit || (isFavoured && !this.#floor.mayStart(now))) return 'SLOT'
    return this.#rates.of(isBackfill)?.mayStart(now) === false ? 'RATE' : undefined
  }

  get #inFlight(): number {
    let sum = 0
    for (const { sender } of this.#members.values()) sum += sender.inFlight
    return sum
  }

  /** Places that BACKFILL leaves free. */
  #kept(now: number): number {
    return this.limit > 1 && this.#live.some(({ startedAt }) => now - startedAt < IDLE_MS) ? 1 : 0
  }

  begin(sender: Sender, now: number): number {
    const member = this.#members.get(sender)!
    member.startedAt = now
    if (member === this.#favoured) this.#floor.spend(this.#backfillMs ?? GUESSED_MS, now)
    return this.breaker.started(now)
  }

  started(sender: Sender, now: number): void {
    this.#adaptive?.started(sender, this.#inFlight + (sender.isBackfill ? this.#kept(now) : 0), now)
  }

  sent(sender: Sender, records: number, bytes: number, now: number): void {
    this.#rates.sent(sender.isBackfill, records, bytes, now)
    this.#members.get(sender)?.demand.sent(records, bytes)
  }

  answered(sender: Sender, flight: Landed, isBlocked: boolean, wallMs: number): boolean {
    if (sender.isBackfill) {
      const ms = flight.endedAt - flight.sentAt
      this.#backfillMs = this.#backfillMs === undefined ? ms : this.#backfillMs + (ms - this.#backfillMs) / 8
    }
    return this.#adaptive?.answered(sender, flight, isBlocked, wallMs) ?? false
  }

  letOthersFirst({ isBackfill }: Sender): void {
    if (!isBackfill || this.#isPumping) return
    for (const { waitsFor, sender } of this.#live) if (waitsFor !== undefined) sender.pump()
  }

  pump(sender: Sender, now: number): void {
    // Whoever pumps may be pumped by what it meets.
    if (this.#isPumping) return
    this.#isPumping = true
    this.#turn++
    this.#favour(now)
    this.#pumpByTurns(this.#live, sender)
    this.#pumpByTurns(this.#backfill, sender)
    this.#isPumping = false
  }

  #pumpByTurns(members: readonly Member[], landed: Sender): void {
    for (let i = 0; i < members.length; i++) {
      const { sender, waitsFor } = members[(this.#turn + i) % members.length]!
      if (waitsFor !== undefined || sender === landed) sender.pump()
    }
  }

  /** LIVE waits for every place that becomes free: BACKFILL has its part nevertheless. */
  #favour(now: number): void {
    if (!this.#floor.mayStart(now) || !this.#live.some(({ waitsFor, sender }) => waitsFor === 'SLOT' && sender.hasWork)) return
    for (let i = 0; i < this.#backfill.length && this.#floor.mayStart(now); i++) {
      const member = this.#backfill[(this.#turn + i) % this.#backfill.length]!
      this.#favoured = member
      if (member.waitsFor !== undefined) member.sender.pump()
    }
    this.#favoured = undefined
  }

  sweep(now: number): void {
    if (now - this.#sweptAt < SWEEP_MS) return
    this.#sweptAt = now
    this.#floor.setRate(this.limit * BACKFILL_PART * 1000, now)
    this.#rates.sweep(
      this.#backfill.some(({ heldBackAt }) => now - heldBackAt < RECENT_MS),
      now,
    )
    const { recordsPerSecond, bytesPerSecond } = this.plan ?? noRate
    const limits = { maxInFlight: this.#wholeMaxInFlight, recordsPerSecond, bytesPerSecond }
    // Where the endpoint itself takes no more, another share would not help.
    const isShare = this.limit >= this.maxInFlight
    for (const { sender, waitsFor, demand } of this.#live)
      demand.look(sender.inFlight, (waitsFor === 'RATE' || (waitsFor === 'SLOT' && isShare)) && sender.hasWork, limits, now)
  }

  yieldsTo(sender: Sender, now: number): string | undefined {
    const isHeldBack = ({ heldBackAt }: Member): boolean => now - heldBackAt < RECENT_MS
    if (!sender.isBackfill || !isHeldBack(this.#members.get(sender)!)) return undefined
    return this.#live.find(isHeldBack)?.sender.name
  }

  demandPpm(sender: Sender): number {
    return sender.isBackfill ? 0 : this.#members.get(sender)!.demand.ppm
  }

  shareInFlight({ maxInFlight, wholeMaxInFlight, isAdaptive }: InFlightShare): void {
    this.maxInFlight = maxInFlight
    this.#wholeMaxInFlight = wholeMaxInFlight
    if (!isAdaptive) this.#adaptive = undefined
    else if (this.#adaptive === undefined) this.#adaptive = new SharedLimit(maxInFlight)
    else this.#adaptive.max = maxInFlight
  }

  shareRate(plan: RatePlan | undefined, ppm: number, now: number): void {
    this.plan = plan
    this.#rates.share(plan, ppm, now)
  }

  forget(sender: Sender): void {
    this.#adaptive?.forget(sender)
  }
}

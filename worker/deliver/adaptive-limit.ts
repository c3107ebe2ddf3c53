// How many requests one worker may have on the way to an endpoint of which nothing is known: by their latency, and by answers of overload.
//
// Cohorts of requests are measured one after the other. A cohort begins a round trip after the last change of the limit, so that its
// requests meet what the limit has made of the endpoint, and is judged when most of it is answered. Its median is compared with the
// endpoint's latency without a queue, as far as that was seen:
//
//   the cohort                            | the limit
//   is fast, and was at the limit         | doubles at first, later grows by its square root
//   is fast, and was not                  | stays
//   is 1.5 times as slow, or slower       | shrinks in proportion, so that a fifth of a round trip is left in the queue
//   has some answers of overload          | shrinks by their share, with less than half of them not below eight, and comes back to where it was by ever smaller steps if they were many
//   has no other answers                  | is halved, and doubles again afterwards
//
// A probe from time to time, by the wall clock, so that all workers do it together, goes by half of the limit for a moment:
//
//   the probe                             | the latency without a queue
//   is faster than that                   | is corrected by it
//   is as slow as before, and the limit   | is that: the endpoint is slow for its own sake, and the limit is what it was before it shrank. With few
//   has shrunk a lot                      | requests only a little of that is believed: others of the fleet may be the reason
//   else                                  | stays
//
// So a queue of the fleet's own making does not become the measure. With one worker or several, docs/decisions/0017 has what came of it.

/** What an answer says of the endpoint's load. NOTHING: Ferry ended the request itself. */
export type EndpointLoad = 'FINE' | 'OVERLOAD' | 'NOTHING'

const COHORT_MIN = 5
const COHORT_MAX = 64
/** A cohort is judged when so much of it is answered: what is late is slow. */
const JUDGED_AT = 0.75
/** Slower than so many times the latency without a queue: there is a queue. */
const SLOW = 1.5
/** What a shrunken limit should come to. */
const AIM = 1.2
/** To tell an endpoint that is slow from one with a queue, the limit must have shrunk to this part. */
const SHRUNK = 0.35
/** And half of the requests must not have made it faster than this part. */
const HELPED = 0.8
/** Fewer answers of overload may have other reasons. */
const OVERLOADS_MIN = 2
const OVERLOAD_MIN = 0.08
/** So many are an endpoint that takes no more: the limit comes back to where it was by ever smaller steps. */
const OVERLOAD_HARD = 0.3
/** With less than that they may be those of certain records: so many requests are left all the same. */
const OVERLOAD_MOST = 0.5
const SPARED = 8
/** One cohort of less may be slow by chance: of two in a row only the second counts. */
const SURE = 32
/** Quartiles of a normal distribution are so many sigmas apart. */
const QUARTILES = 1.35
/** Standard error of a median, in sigmas, times the root of the number. */
const MEDIAN_ERROR = 1.25
/** So many more requests in a cohort, times the square of the sigma: few answers of a noisy endpoint say nothing. */
const COHORT_NOISE = 60
/** With fewer requests than that, the others of a fleet may be the reason: then a little at a time is believed. */
const MANY = 16
const CAREFULLY = 1.2
/** From probe to probe, by the wall clock; doubled until it is so many times the latency. */
const PROBE_EVERY_MS = 8000
const PROBE_EVERY_MS_MAX = 256_000
const PROBE_EVERY_LATENCIES = 64
/** A probe takes such a part of that; in its second half the queue is gone, and requests are measured. */
const PROBE_PART = 1 / 8
/** A longer latency, as a part of the probe, says nothing. */
const PROBE_LATENCY_MAX = 1 / 2
/** Cohorts between two probes; with fewer the next probe is left out. */
const JUDGED_MIN = 4
/** Less say nothing. */
const PROBED_MIN = 3
/** Below this a difference of latencies is one of this machine, not of the endpoint. */
const NOISE_MS = 2

/** Nothing here allocates after construction. Times are ms of one clock that does not go back. */
export class AdaptiveLimit {
  /** Never above: the worker's share. */
  max: number
  #limit = 1
  #isFirst = true
  /** Latency without a queue; 0 while it is not known. */
  #unloadedMs = 0
  /** What the limit was before it shrank; 0 when it is that again. */
  #shrunkFrom = 0
  /** Where the endpoint took no more; 0 when it is not known, or was passed since. */
  #ceiling = 0
  #wasSlow = false
  /** The limit to go back to after the probe; 0 at other times. */
  #probingFrom = 0
  #probeMs = 0
  /** Cohorts since the last probe. */
  #judged = 0
  #probeEndMs = 0
  #probeAtMs = 0
  /** Of the last cohort. */
  #medianMs = 0
  /** Sigma of latencies, as a part of their median. */
  #noise = 0
  // The cohort: started from #fromMs on, up to #toMs when it is full.
  #fromMs = Number.NEGATIVE_INFINITY
  #toMs = Number.POSITIVE_INFINITY
  #started = 0
  #size = COHORT_MIN
  #answered = 0
  #overloads = 0
  #wasFull = false
  /** Of any request since the cohort began. */
  #sawFine = false
  readonly #latencies = new Float64Array(COHORT_MAX)

  constructor(max: number) {
    this.max = max
  }

  /** Requests that may be on the way. */
  get limit(): number {
    return Math.max(1, Math.min(this.max, Math.floor(this.#limit)))
  }

  /** It was not told of some requests, and goes on with the limit that there is by now. */
  goOn(limit: number, nowMs: number): void {
    this.#limit = Math.max(1, Math.min(this.max, limit))
    this.#probingFrom = this.#shrunkFrom = this.#judged = 0
    this.#wasSlow = false
    if (limit > 1) this.#isFirst = false
    this.#begin(nowMs)
  }

  /** A request starts; `inFlight` with it. */
  started(inFlight: number, nowMs: number): void {
    if (nowMs < this.#fromMs || this.#started >= this.#size) return
    if (inFlight >= this.limit) this.#wasFull = true
    if (++this.#started === this.#size) this.#toMs = nowMs
  }

  /** It has ended; startedMs as it was given. */
  answered(load: EndpointLoad, startedMs: number, nowMs: number, wallMs: number): void {
    if (wallMs >= this.#probeAtMs) this.#probe(nowMs, wallMs)
    if (this.#probingFrom > 0 && nowMs >= this.#probeEndMs) this.#afterProbe(nowMs)
    if (load === 'FINE') this.#sawFine = true
    if (startedMs < this.#fromMs || startedMs > this.#toMs || this.#answered + this.#overloads >= this.#size) return
    if (load === 'NOTHING') {
      this.#started = Math.max(0, this.#started - 1)
      this.#toMs = Number.POSITIVE_INFINITY
      return
    }
    if (load === 'OVERLOAD') this.#overloads++
    else this.#latencies[this.#answered++] = nowMs - startedMs
    const isAnswered = this.#answered + this.#overloads >= this.#size * JUDGED_AT
    if (isAnswered && this.#started >= this.#size && this.#probingFrom === 0) this.#judge(nowMs)
  }

  #judge(nowMs: number): void {
    const overloads = this.#overloads / this.#size
    const medianMs = this.#median()
    if (this.#answered === 0 && !this.#sawFine) this.#afterOutage()
    else if (overloads >= OVERLOAD_MIN && this.#overloads >= OVERLOADS_MIN) this.#afterOverload(overloads)
    else this.#afterLatency(medianMs)
    this.#limit = Math.max(1, Math.min(this.max, this.#limit))
    if (medianMs > 0) this.#medianMs = medianMs
    this.#judged++
    this.#begin(nowMs + this.#medianMs)
  }

  /** The cohort that is being measured is given up for one by half of the limit. All workers do it at the same time, by their wall clocks. */
  #probe(nowMs: number, wallMs: number): void {
    let everyMs = PROBE_EVERY_MS
    // A queue that has just built up is no reason to wait for long.
    const latencyMs = Math.min(this.#medianMs, 8 * (this.#unloadedMs || this.#medianMs))
    while (everyMs < PROBE_EVERY_MS_MAX && everyMs < PROBE_EVERY_LATENCIES * latencyMs) everyMs *= 2
    const isFirst = this.#probeAtMs === 0
    this.#probeAtMs = (Math.floor(wallMs / everyMs) + 1) * everyMs
    if (isFirst || this.#probingFrom > 0 || this.#judged < JUDGED_MIN) return
    this.#judged = 0
    this.#probingFrom = this.#limit
    this.#limit = Math.max(1, this.#limit / 2)
    this.#probeMs = everyMs * PROBE_PART
    this.#probeEndMs = nowMs + this.#probeMs
    this.#begin(nowMs + this.#probeMs / 2)
    this.#size = COHORT_MAX
  }

  /** As if all of the cohort were answered: what is late counts as slower than the median. */
  #median(): number {
    const answered = this.#latencies.subarray(0, this.#answered).sort()
    const at = (share: number): number =>
      answered[Math.min(answered.length - 1, Math.floor((this.#size - this.#overloads) * share))] ?? 0
    const medianMs = at(0.5)
    if (medianMs > 0) this.#noise += 0.3 * ((at(0.75) - at(0.25)) / (QUARTILES * medianMs) - this.#noise)
    return medianMs
  }

  #begin(atMs: number): void {
    this.#fromMs = atMs
    this.#toMs = Number.POSITIVE_INFINITY
    const wanted = Math.max(2 * this.limit, COHORT_MIN + COHORT_NOISE * this.#noise ** 2)
    this.#size = Math.min(COHORT_MAX, Math.round(wanted))
    this.#started = this.#answered = this.#overloads = 0
    this.#wasFull = this.#sawFine = false
  }

  #afterOutage(): void {
    this.#limit /= 2
    this.#isFirst = true
    this.#shrunkFrom = 0
  }

  #afterOverload(share: number): void {
    if (share >= OVERLOAD_HARD) this.#ceiling = this.#limit
    const before = this.#limit
    this.#shrink(Math.max(0.7, 0.95 * (1 - share)))
    if (share < OVERLOAD_MOST) this.#limit = Math.max(this.#limit, Math.min(before, SPARED))
  }

  #grow(): void {
    if (this.#limit >= this.#ceiling) this.#ceiling = 0
    const step = this.#isFirst ? this.#limit : Math.sqrt(this.#limit)
    this.#limit += this.#ceiling === 0 ? step : Math.min(step, Math.max(0.25, (this.#ceiling - this.#limit) / 4))
  }

  #shrink(factor: number): void {
    this.#isFirst = false
    this.#limit *= factor
  }

  #afterProbe(nowMs: number): void {
    this.#limit = this.#probingFrom
    this.#probingFrom = 0
    const count = this.#answered
    this.#size = Math.max(1, count)
    const medianMs = this.#median()
    if (count >= PROBED_MIN) this.#learnFromProbe(medianMs)
    this.#begin(nowMs + this.#medianMs)
  }

  #learnFromProbe(medianMs: number): void {
    this.#learn(medianMs)
    const hasHelped = medianMs <= HELPED * this.#medianMs || medianMs <= AIM * this.#unloadedMs
    if (hasHelped || this.#shrunkFrom === 0) return
    // Nobody has sent much, and it is as slow as before. A queue that is longer than the probe would still be there.
    const isSure = this.#limit <= SHRUNK * this.#shrunkFrom && medianMs <= PROBE_LATENCY_MAX * this.#probeMs
    if (isSure && this.#shrunkFrom >= MANY) {
      this.#unloadedMs = medianMs
      this.#shrunkFrom = 0
      this.#isFirst = true
    } else if (this.#limit < 2) this.#unloadedMs = Math.max(CAREFULLY * this.#unloadedMs, medianMs / 4)
  }

  #learn(medianMs: number): void {
    if (medianMs === 0) return
    if (this.#unloadedMs === 0) this.#unloadedMs = medianMs
    else if (medianMs < this.#unloadedMs * (1 - this.#error)) this.#unloadedMs += (medianMs - this.#unloadedMs) * this.#weight()
  }

  #afterLatency(medianMs: number): void {
    this.#learn(medianMs)
    const isSlow = medianMs > SLOW * this.#unloadedMs * (1 + this.#error) && medianMs > this.#unloadedMs + NOISE_MS
    if (!isSlow) {
      if (this.#limit >= this.#shrunkFrom) this.#shrunkFrom = 0
      this.#wasSlow = false
      if (this.#wasFull) this.#grow()
    } else if (!this.#wasSlow && this.#size < SURE) {
      this.#wasSlow = true
    } else {
      this.#shrunkFrom = Math.max(this.#shrunkFrom, this.#limit)
      this.#shrink(Math.max(0.5, (AIM * this.#unloadedMs) / medianMs))
    }
  }

  /** By how much the median of a cohort is off by chance, as a part of it. */
  get #error(): number {
    return Math.min(0.5, (MEDIAN_ERROR * this.#noise) / Math.sqrt(this.#size))
  }

  /** Few answers may be fast by chance. */
  #weight(): number {
    return Math.min(0.5, this.#answered / 40)
  }
}

/** The limiter of a use case with a share of `max`; undefined with fixed concurrency. */
export function changedLimit(before: AdaptiveLimit | undefined, isAdaptive: boolean, max: number): AdaptiveLimit | undefined {
  if (!isAdaptive) return undefined
  if (before === undefined) return new AdaptiveLimit(max)
  before.max = max
  return before
}

import type { Logger } from '../../runtime/log.ts'
import { type DeadLetter, deadLetterOf } from './dead-letter.ts'
import type { Lane } from './lane.ts'
import { loadBytes, type RecordSources } from './load-bytes.ts'
import type { LastEnd, Parked } from './parked.ts'

/** Resolves when Kafka has them for sure. */
export type SendLetters = (topic: string, letters: DeadLetter[]) => Promise<void>

/** Of one request to Kafka. */
const LETTERS_MAX = 100
const LETTER_BYTES_MAX = 512 * 1024
const AGAIN_MS_MIN = 1000
const AGAIN_MS_MAX = 30_000

// What is given up ends when the dead-letter topic has it, and not before: who dies in between leaves it parked in Redis, and the
// next owner sends the letter, perhaps once more. Nothing is sent to the endpoint again for that.
//
//   the topic        | then
//   takes the letter | FAILED, as its last attempt ended
//   does not         | it waits, the lane's condition says so; tried again after 1 s, doubled up to 30 s
//   is no longer set | FAILED at once

/** Sends a lane's dead letters. */
export class DeadLetterDesk {
  readonly #lane: Lane
  readonly #sources: RecordSources
  readonly #send: SendLetters
  readonly #log: Pick<Logger, 'warn' | 'info'>
  #isBusy = false
  #failures = 0
  #notBefore = 0

  constructor(lane: Lane, sources: RecordSources, send: SendLetters, log: Pick<Logger, 'warn' | 'info'>) {
    this.#lane = lane
    this.#sources = sources
    this.#send = send
    this.#log = log
  }

  /** Whether there is something to do. now: of performance.now(). */
  isDue(now: number): boolean {
    return this.#lane.parking.givenUp.size > 0 && !this.#isBusy && now >= this.#notBefore && !this.#lane.stopped
  }

  /** Sends what is given up, some at a time. nowMs: Unix ms. */
  async work(nowMs: number): Promise<void> {
    const entries = this.#take()
    if (entries.length === 0) return
    this.#isBusy = true
    try {
      await this.#bury(entries, nowMs)
      this.#succeeded()
    } catch (error) {
      this.#failed(error)
    } finally {
      this.#isBusy = false
      for (const entry of entries) if (!entry.ended) entry.sending = false
    }
  }

  /** Those whose last attempts are durable in the log. */
  #take(): Parked[] {
    const entries: Parked[] = []
    let bytes = 0
    for (const entry of this.#lane.parking.givenUp) {
      if (entries.length >= LETTERS_MAX || bytes > LETTER_BYTES_MAX) break
      if (!entry.settled || entry.sending) continue
      entry.sending = true
      bytes += entry.bytes
      entries.push(entry)
    }
    return entries
  }

  async #bury(entries: readonly Parked[], nowMs: number): Promise<void> {
    const lane = this.#lane
    const { plan } = lane.route
    await loadBytes(lane, this.#sources, entries, nowMs)
    const here = entries.filter(({ ended }) => !ended)
    const ends = await this.#endsOf(here)
    if (plan.deadLetterTopic !== '' && here.length > 0) {
      const letters = here.map((entry, at) => deadLetterOf(plan, lane.id, entry, ends[at]!, nowMs))
      await this.#send(plan.deadLetterTopic, letters)
    }
    // Who has let the lane go must not say any more about it.
    if (lane.stopped) return
    for (const [at, entry] of here.entries()) lane.endGivenUp(entry, ends[at]!, nowMs)
  }

  /** Given up by an owner before: the log knows why. */
  async #endsOf(entries: readonly Parked[]): Promise<LastEnd[]> {
    const unknown = entries.filter(({ why }) => why === undefined)
    const found = unknown.length === 0 ? undefined : await this.#sources.lastEnds(unknown.map(({ offset }) => offset))
    return entries.map(({ why, offset }) => why ?? found?.get(offset) ?? unknownEnd)
  }

  #succeeded(): void {
    if (this.#failures > 0) this.#log.info({ lane: this.#lane.key }, 'lane: the dead-letter topic takes records again')
    this.#failures = 0
    this.#lane.lettersTrouble = undefined
  }

  #failed(error: unknown): void {
    const { deadLetterTopic } = this.#lane.route.plan
    const message = `the dead-letter topic ${deadLetterTopic} does not take what is given up: ${String(error)}`
    this.#lane.lettersTrouble = message
    if (this.#failures === 0) this.#log.warn({ lane: this.#lane.key, problem: message }, 'lane: dead letters wait, trying again')
    this.#notBefore = performance.now() + Math.min(AGAIN_MS_MIN * 2 ** this.#failures, AGAIN_MS_MAX)
    this.#failures++
  }
}

/** The log has lost it, or it is long ago. */
const unknownEnd: LastEnd = { reason: 0, status: 0, error: 'the log no longer has the last attempt' }

import { Outcome, Reason, Trigger } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import type { Logger } from '../../runtime/log.ts'
import type { KafkaRecord } from '../source/kafka-record.ts'
import type { Lane } from './lane.ts'
import { packRecord } from './packed-record.ts'
import type { Parked } from './parked.ts'
import { takeDue } from './take-due.ts'

/** Where parked records' bytes are. Each rejects when it does not answer. */
export interface RecordSources {
  /** Packed records; undefined where Redis has none. */
  redis(offsets: readonly number[]): Promise<readonly (Buffer | undefined)[]>
  /** Those that Kafka still has; what is taken must be copied. */
  kafka(offsets: readonly number[], take: (record: KafkaRecord, offset: number) => void): Promise<void>
  /** Packed records that the log has kept of what failed. */
  payloads(offsets: readonly number[]): Promise<ReadonlyMap<number, Buffer>>
}

const AGAIN_MS = 1000

// A parked delivery that is due
//
//   its bytes are           | then
//   in memory               | loaded
//   in Redis                | read from there; when Redis has lost them, as the next line
//   in Kafka                | read from there; when Kafka has them no longer, from the log's payloads
//   nowhere                 | it ends FAILED PAYLOAD_EXPIRED
//   behind one who does not | tried again a second later, by the same way
//   answer                  |

/** Makes parked deliveries that are due ready to go. */
export class RetryDesk {
  readonly #lane: Lane
  readonly #sources: RecordSources
  readonly #log: Pick<Logger, 'warn'>
  #loading = false
  #failing = false

  constructor(lane: Lane, sources: RecordSources, log: Pick<Logger, 'warn'>) {
    this.#lane = lane
    this.#sources = sources
    this.#log = log
  }

  /** Called when something is due; resolves to whether something is ready. Times are Unix ms. */
  async prepare(nowMs: number): Promise<boolean> {
    const { loaded, parking } = this.#lane
    if (this.#loading || this.#lane.stopped) return false
    const absent = takeDue(this.#lane, nowMs)
    if (absent.length === 0) return loaded.length > 0
    this.#loading = true
    try {
      await this.#load(absent, nowMs)
      this.#failing = false
    } catch (error) {
      if (!this.#failing)
        this.#log.warn(
          { lane: this.#lane.key, error: String(error) },
          'lane: cannot read the bytes of parked records, trying again',
        )
      this.#failing = true
    } finally {
      this.#loading = false
    }
    const isOrdered = this.#lane.route.plan.ordering === 'PARTITION'
    let goesOn = true
    for (const entry of absent) {
      if (entry.ended) continue
      // Not sending: one before has ended, and it is its turn by itself.
      goesOn &&= !isOrdered || (entry.packed !== undefined && entry.sending)
      if (goesOn && entry.packed !== undefined) loaded.push(entry)
      else parking.defer(entry, nowMs + AGAIN_MS)
    }
    return loaded.length > 0
  }

  async #load(absent: readonly Parked[], nowMs: number): Promise<void> {
    const inRedis = absent.filter((entry) => entry.where === 'R' && entry.packed === undefined)
    if (inRedis.length > 0) {
      const bytes = await this.#sources.redis(inRedis.map((entry) => entry.offset))
      for (const [at, entry] of inRedis.entries()) entry.packed = bytes[at]
    }
    await this.#fromKafka(absent.filter((entry) => entry.packed === undefined))
    const gone = absent.filter((entry) => entry.packed === undefined)
    if (gone.length === 0) return
    const found = await this.#sources.payloads(gone.map((entry) => entry.offset))
    // Who has let the lane go must not say any more about it.
    if (this.#lane.stopped) return
    for (const entry of gone) {
      entry.packed = found.get(entry.offset)
      if (entry.packed !== undefined) continue
      const trigger = entry.batch === undefined ? Trigger.RETRY : Trigger.RETRY_BATCH
      this.#lane.endUnsent(entry, Outcome.FAILED, Reason.PAYLOAD_EXPIRED, trigger, nowMs)
    }
  }

  async #fromKafka(entries: readonly Parked[]): Promise<void> {
    if (entries.length === 0) return
    const byOffset = new Map(entries.map((entry) => [entry.offset, entry]))
    await this.#sources.kafka([...byOffset.keys()], (record, offset) => {
      const entry = byOffset.get(offset)!
      entry.packed = packRecord(record)
      if (entry.where === 'K') entry.bytes = entry.packed.length
    })
  }
}

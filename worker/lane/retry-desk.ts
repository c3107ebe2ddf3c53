import { Outcome, Reason, Trigger } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import type { Logger } from '../../runtime/log.ts'
import type { KafkaRecord } from '../source/kafka-record.ts'
import type { Lane } from './lane.ts'
import { packRecord } from './packed-record.ts'
import type { Parked } from './parked.ts'

/** Where parked records' bytes are. Each rejects when it does not answer. */
export interface RecordSources {
  /** Packed records; undefined where Redis has none. */
  redis(offsets: readonly number[]): Promise<readonly (Buffer | undefined)[]>
  /** Those that Kafka still has; what is taken must be copied. */
  kafka(offsets: readonly number[], take: (record: KafkaRecord, offset: number) => void): Promise<void>
  /** Packed records that the log has kept of what failed. */
  payloads(offsets: readonly number[]): Promise<ReadonlyMap<number, Buffer>>
}

/** Entries of a lane that may be loaded, waiting for a request slot; their bytes are bounded by the lane's share of memory. */
const LOADED_MAX = 256
/** Of a retry batch's item it is not known how many there are. */
const UNKNOWN_BYTES = 64 * 1024
const LATER_MS = 200
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
    const absent = this.#takeDue(nowMs)
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
    for (const entry of absent) {
      if (entry.ended) continue
      if (entry.packed !== undefined) loaded.push(entry)
      else parking.defer(entry, nowMs + AGAIN_MS)
    }
    return loaded.length > 0
  }

  /** Moves what is due and has its bytes to `loaded`; answers what has not. */
  #takeDue(nowMs: number): Parked[] {
    const { parking, loaded, limits } = this.#lane
    const absent: Parked[] = []
    let bytes = loaded.reduce((sum, entry) => sum + sizeOf(entry), 0)
    while (loaded.length + absent.length < LOADED_MAX && bytes < limits.bufferBytesMax) {
      const entry = parking.takeDue(nowMs)
      if (entry === undefined) break
      if (this.#isEarly(entry)) parking.defer(entry, nowMs + LATER_MS)
      else if (entry.stale) this.#lane.endUnsent(entry, Outcome.SUPERSEDED, Reason.NEWER_DELIVERED, Trigger.RETRY_BATCH, nowMs)
      else {
        bytes += sizeOf(entry)
        if (entry.packed === undefined) absent.push(entry)
        else loaded.push(entry)
      }
    }
    return absent
  }

  #isEarly({ offset, round, stored, keyHash }: Parked): boolean {
    const { order, tracker } = this.#lane.window
    // The number of a round must be known to Redis before it is used.
    if (round > 0 && !stored) return true
    if (order === undefined || keyHash === undefined) return false
    // A fresh record of the key is on its way; or earlier ones may still have to be read, and go first.
    return order.isGoing(keyHash) || (round === 0 && offset >= tracker.next)
  }

  async #load(absent: readonly Parked[], nowMs: number): Promise<void> {
    const inRedis = absent.filter((entry) => entry.where === 'R')
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

const sizeOf = ({ bytes }: Parked): number => (bytes === 0 ? UNKNOWN_BYTES : bytes)

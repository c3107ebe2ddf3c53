import { Outcome, Reason, Trigger } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import type { ClickHouseClient } from '../../runtime/clickhouse.ts'
import type { Cluster } from '../../runtime/kafka.ts'
import type { Logger } from '../../runtime/log.ts'
import { fetchRecords } from '../source/fetch-records.ts'
import type { Lane } from './lane.ts'
import type { LaneState } from './lane-state.ts'
import { packRecord } from './packed-record.ts'
import type { Parked } from './parked.ts'

export interface DeskParts {
  readonly clickhouse: ClickHouseClient
  readonly cluster: Cluster
  readonly log: Logger
  readonly queryTimeoutMs: number
}

/** Entries of a lane that may be loaded, waiting for a request slot; their bytes are bounded by the lane's share of memory. */
const LOADED_MAX = 256
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
  readonly #state: LaneState
  readonly #parts: DeskParts
  #loading = false
  #failing = false

  constructor(lane: Lane, state: LaneState, parts: DeskParts) {
    this.#lane = lane
    this.#state = state
    this.#parts = parts
  }

  /** Called some times a second; resolves to whether something is ready. */
  async prepare(nowMs: number): Promise<boolean> {
    const { loaded, parking } = this.#lane
    if (this.#loading || this.#lane.stopped) return false
    const absent = this.#takeDue(nowMs)
    if (absent.length === 0) return loaded.length > 0
    this.#loading = true
    try {
      await this.#load(absent)
      this.#failing = false
    } catch (error) {
      if (!this.#failing)
        this.#parts.log.warn(
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
      else parking.defer(entry, Date.now() + AGAIN_MS)
    }
    return loaded.length > 0
  }

  /** Moves what is due and has its bytes to `loaded`; answers what has not. */
  #takeDue(nowMs: number): Parked[] {
    const { parking, loaded, limits } = this.#lane
    const absent: Parked[] = []
    let bytes = loaded.reduce((sum, entry) => sum + entry.bytes, 0)
    while (loaded.length + absent.length < LOADED_MAX && bytes < limits.bufferBytesMax) {
      const entry = parking.takeDue(nowMs)
      if (entry === undefined) break
      if (this.#isEarly(entry)) parking.defer(entry, nowMs + LATER_MS)
      else if (entry.stale) this.#lane.endUnsent(entry, Outcome.SUPERSEDED, Reason.NEWER_DELIVERED, Trigger.RETRY_BATCH, nowMs)
      else {
        bytes += entry.bytes
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

  async #load(absent: readonly Parked[]): Promise<void> {
    const inRedis = absent.filter((entry) => entry.where === 'R')
    if (inRedis.length > 0) {
      const bytes = await this.#state.bytes(inRedis.map((entry) => entry.offset))
      for (const [at, entry] of inRedis.entries()) entry.packed = bytes[at]
    }
    await this.#fromKafka(absent.filter((entry) => entry.packed === undefined))
    const gone = absent.filter((entry) => entry.packed === undefined)
    if (gone.length > 0) await this.#fromPayloads(gone)
    // Who has let the lane go must not say any more about it.
    if (this.#lane.stopped) return
    for (const entry of gone) {
      if (entry.packed !== undefined) continue
      const trigger = entry.batch === undefined ? Trigger.RETRY : Trigger.RETRY_BATCH
      this.#lane.endUnsent(entry, Outcome.FAILED, Reason.PAYLOAD_EXPIRED, trigger, Date.now())
    }
  }

  async #fromKafka(entries: readonly Parked[]): Promise<void> {
    if (entries.length === 0) return
    const { topic, partition } = this.#lane.id
    const byOffset = new Map(entries.map((entry) => [entry.offset, entry]))
    await fetchRecords(this.#parts.cluster, topic, partition, [...byOffset.keys()], (record, offset) => {
      const entry = byOffset.get(offset)!
      entry.packed = packRecord(record)
      if (entry.where === 'K') entry.bytes = entry.packed.length
    })
  }

  async #fromPayloads(entries: readonly Parked[]): Promise<void> {
    const answer = await this.#parts.clickhouse.query({
      query: `SELECT offset, base64Encode(any(packed_record)) FROM payloads WHERE uid = {uid:String} AND cluster = {cluster:String}
        AND topic = {topic:String} AND partition = {partition:UInt32} AND offset IN {offsets:Array(UInt64)} GROUP BY offset`,
      query_params: { ...this.#lane.id, offsets: entries.map((entry) => entry.offset) },
      format: 'JSONCompactStringsEachRow',
      abort_signal: AbortSignal.timeout(this.#parts.queryTimeoutMs),
    })
    const found = new Map((await answer.json<[string, string]>()).map(([offset, packed]) => [Number(offset), packed]))
    for (const entry of entries) {
      const packed = found.get(entry.offset)
      if (packed !== undefined) entry.packed = Buffer.from(packed, 'base64')
    }
  }
}

import { Outcome, Reason, Trigger } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import type { ClickHouseClient } from '../../runtime/clickhouse.ts'
import type { Cluster } from '../../runtime/kafka.ts'
import type { Logger } from '../../runtime/log.ts'
import { fetchRecords } from '../source/fetch-records.ts'
import type { Lane } from './lane.ts'
import type { LaneState } from './lane-state.ts'
import { packRecord } from './packed-record.ts'
import type { Parked } from './parking.ts'

export interface DeskParts {
  readonly clickhouse: ClickHouseClient
  readonly cluster: Cluster
  readonly log: Logger
  readonly queryTimeoutMs: number
}

/** Entries of a lane that may be loaded, waiting for a request slot. */
const LOADED_MAX = 256
/** Bytes are fetched a little before their entry is due. */
const AHEAD_MS = 50
const LATER_MS = 200

/** Makes parked deliveries that are due ready to go: their bytes come from memory, Redis, Kafka or the log's payloads. */
export class RetryDesk {
  readonly #lane: Lane
  readonly #state: LaneState
  readonly #parts: DeskParts
  #loading = false

  constructor(lane: Lane, state: LaneState, parts: DeskParts) {
    this.#lane = lane
    this.#state = state
    this.#parts = parts
  }

  /** Called some times a second; resolves to whether something became ready. */
  async prepare(nowMs: number): Promise<boolean> {
    if (this.#loading || this.#lane.stopped) return false
    const absent = this.#takeDue(nowMs)
    if (absent.length === 0) return this.#lane.loaded.length > 0
    this.#loading = true
    try {
      await this.#load(absent)
    } catch (error) {
      this.#parts.log.warn(
        { lane: this.#lane.key, error: String(error) },
        'lane: cannot read the bytes of parked records, trying again',
      )
      for (const entry of absent) if (entry.packed === undefined) this.#lane.parking.defer(entry, Date.now() + 1000)
    } finally {
      this.#loading = false
    }
    return this.#lane.loaded.length > 0
  }

  /** Moves what is due and has its bytes to `loaded`; answers what has not. */
  #takeDue(nowMs: number): Parked[] {
    const { parking, loaded, window } = this.#lane
    const absent: Parked[] = []
    while (loaded.length + absent.length < LOADED_MAX) {
      const entry = parking.takeDue(nowMs + AHEAD_MS)
      if (entry === undefined) break
      const unsaved = entry.round > 0 && !entry.stored // its number must be known to Redis before it is used
      if (unsaved || (entry.keyHash !== undefined && window.order?.busy(entry.keyHash))) parking.defer(entry, nowMs + LATER_MS)
      else if (entry.stale) this.#lane.endUnsent(entry, Outcome.SUPERSEDED, Reason.NEWER_DELIVERED, Trigger.RETRY_BATCH, nowMs)
      else if (entry.packed === undefined) absent.push(entry)
      else loaded.push(entry)
    }
    return absent
  }

  async #load(absent: readonly Parked[]): Promise<void> {
    const { id } = this.#lane
    const inRedis = absent.filter((entry) => entry.where === 'R')
    if (inRedis.length > 0) {
      const bytes = await this.#state.bytes(inRedis.map((entry) => entry.offset))
      for (const [at, entry] of inRedis.entries()) entry.packed = bytes[at]
    }
    const elsewhere = absent.filter((entry) => entry.packed === undefined)
    if (elsewhere.length > 0) {
      const byOffset = new Map(elsewhere.map((entry) => [entry.offset, entry]))
      await fetchRecords(this.#parts.cluster, id.topic, id.partition, [...byOffset.keys()], (record, offset) => {
        byOffset.get(offset)!.packed = packRecord(record)
      })
    }
    const lost = absent.filter((entry) => entry.packed === undefined)
    if (lost.length > 0) await this.#fromPayloads(lost)
    for (const entry of absent) {
      if (entry.packed !== undefined) this.#lane.loaded.push(entry)
      else this.#lane.endUnsent(entry, Outcome.FAILED, Reason.PAYLOAD_EXPIRED, Trigger.RETRY_BATCH, Date.now())
    }
  }

  async #fromPayloads(entries: readonly Parked[]): Promise<void> {
    const { id } = this.#lane
    const answer = await this.#parts.clickhouse.query({
      query: `SELECT offset, base64Encode(any(packed_record)) FROM payloads WHERE uid = {uid:String} AND cluster = {cluster:String}
        AND topic = {topic:String} AND partition = {partition:UInt32} AND offset IN {offsets:Array(UInt64)} GROUP BY offset`,
      query_params: { ...id, offsets: entries.map((entry) => entry.offset) },
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

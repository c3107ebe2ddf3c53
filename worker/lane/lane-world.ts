import { Outcome } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { type ParkedEntry, type Run, readParked, readRuns } from '../../runtime/lane-keys.ts'
import type { RowOwner } from '../record/attempt.ts'
import type { KafkaRecord } from '../source/kafka-record.ts'
import type { Chunk } from '../source/partition.ts'
import type { Checkpoint } from './lane-state.ts'
import type { Parked } from './parked.ts'
import { withSchemaId } from './world-schemas.ts'

// For tests: what lies around a lane, as far as it matters for what is lost, repeated or out of order. Times are numbers.

export interface WorldRecord {
  readonly offset: number
  readonly key: string | undefined
  readonly isTombstone: boolean
  /** Filters of the use case leave it out. */
  readonly isFiltered?: boolean
}

export interface LogRow {
  readonly offset: number
  readonly round: number
  readonly epoch: number
  readonly attempt: number
  readonly outcome: number
}

/** A topic's partition: records with holes between them. */
export class WorldKafka {
  readonly records: readonly WorldRecord[]
  readonly end: number
  /** Values begin with the ids of schemas. */
  hasSchemas = false

  constructor(records: readonly WorldRecord[], end: number) {
    this.records = records
    this.end = end
  }

  /** Up to `count` records from the position on, and what lies between them. */
  fetch(position: number, count: number): { chunks: Chunk[]; next: number } {
    const found = this.records.filter((each) => each.offset >= position).slice(0, count)
    const isLast = found.length < count || found.at(-1) === this.records.at(-1)
    const next = isLast ? this.end : found.at(-1)!.offset + 1
    const fetched = { bytes: found.length * 10, held: 0 }
    const chunks: Chunk[] = []
    let at = position
    for (const record of found) {
      const hole = record.offset > at ? ({ first: at, last: record.offset - 1, kind: 'COMPACTED' } as const) : undefined
      chunks.push({ hole, records: [this.#toKafka(record)], fetched })
      at = record.offset + 1
    }
    if (at < next) chunks.push({ hole: { first: at, last: next - 1, kind: 'COMPACTED' }, records: [], fetched })
    return { chunks, next }
  }

  record(offset: number): KafkaRecord | undefined {
    const found = this.records.find((each) => each.offset === offset)
    return found === undefined ? undefined : this.#toKafka(found)
  }

  #toKafka({ offset, key, isTombstone, isFiltered }: WorldRecord): KafkaRecord {
    const json = Buffer.from(isFiltered ? '1000000000' : '1234567890')
    return {
      ...{ offset: String(offset), timestamp: '0', headers: {} },
      key: key === undefined ? null : Buffer.from(key),
      value: isTombstone ? null : this.hasSchemas ? withSchemaId(offset, json) : json,
    }
  }
}

/** The lane's hash in Redis. */
export class WorldRedis {
  epoch = 0
  version = 0
  cursor = 0
  ended: Run[] = []
  savedMs = 0
  writer = 0
  credit: number | undefined
  clean = false
  last = ''
  parked = new Map<number, string>()
  bytes = new Map<number, Buffer>()

  /** Throws on what the script would refuse. */
  apply(epoch: number, version: number, checkpoint: Checkpoint): void {
    const id = `${epoch}:${version}`
    if (epoch === this.epoch && this.last === id) return
    if (epoch !== this.epoch || version !== this.version) throw new Error(`refused: ${epoch} ${version}`)
    this.version++
    this.last = id
    this.writer = epoch
    Object.assign(this, {
      cursor: checkpoint.cursor,
      savedMs: checkpoint.savedMs,
      credit: checkpoint.credit,
      clean: checkpoint.clean,
    })
    this.ended = readRuns(checkpoint.ended)
    for (const { offset, entry, bytes } of checkpoint.parked) {
      this.parked.set(offset, entry)
      if (bytes !== undefined) this.bytes.set(offset, Buffer.from(bytes))
    }
    for (const offset of checkpoint.removed) {
      this.parked.delete(offset)
      this.bytes.delete(offset)
    }
  }

  /** What a replica, or a file, still has of it. */
  copy(): WorldRedis {
    return Object.assign(new WorldRedis(), { ...this, parked: new Map(this.parked), bytes: new Map(this.bytes) })
  }

  parkedEntries(): Map<number, ParkedEntry> {
    return new Map([...this.parked].map(([offset, text]) => [offset, readParked(text)]))
  }
}

interface Batch {
  rows: LogRow[]
  owners: { owner: RowOwner<Parked>; slot: number; entry: Parked | undefined }[]
  landed: boolean
}

/** The log: rows are durable when their batch has landed, in any order; their owners hear it in the order of the batches. */
export class WorldLog {
  readonly rows: LogRow[] = []
  /** Offsets that have an outcome, or are in a range. */
  readonly #ended = new Set<number>()
  #open: Batch = { rows: [], owners: [], landed: false }
  #frozen: Batch[] = []
  #pendingRanges: { run: Run; owner: RowOwner<Parked>; slot: number }[] = []

  add(row: LogRow, owner: RowOwner<Parked>, slot: number, entry: Parked | undefined): void {
    this.#open.rows.push(row)
    this.#open.owners.push({ owner, slot, entry })
  }

  addRange(run: Run, owner: RowOwner<Parked>, slot: number): void {
    this.#pendingRanges.push({ run, owner, slot })
  }

  freeze(): void {
    if (this.#open.rows.length === 0) return
    this.#frozen.push(this.#open)
    this.#open = { rows: [], owners: [], landed: false }
  }

  get inserting(): number {
    return this.#frozen.filter((each) => !each.landed).length
  }

  get hasOpenRows(): boolean {
    return this.#open.rows.length > 0
  }

  get hasRanges(): boolean {
    return this.#pendingRanges.length > 0
  }

  get busy(): boolean {
    return this.hasOpenRows || this.#frozen.length > 0 || this.hasRanges
  }

  land(index: number): void {
    const batch = this.#frozen.filter((each) => !each.landed)[index]
    if (batch === undefined) return
    batch.landed = true
    this.#write(batch.rows)
    while (this.#frozen[0]?.landed)
      for (const { owner, slot, entry } of this.#frozen.shift()!.owners) owner.acknowledged(slot, entry)
  }

  landRanges(): void {
    for (const { run, owner, slot } of this.#pendingRanges.splice(0)) {
      for (let offset = run.first; offset <= run.last; offset++) this.#ended.add(offset)
      owner.acknowledged(slot, undefined)
    }
  }

  /** Their worker is dead: of the inserts on their way each may have arrived. */
  crash(arrives: () => boolean): void {
    for (const batch of this.#frozen) if (!batch.landed && arrives()) this.#write(batch.rows)
    this.#frozen = []
    this.#open = { rows: [], owners: [], landed: false }
    this.#pendingRanges = []
  }

  #write(rows: readonly LogRow[]): void {
    this.rows.push(...rows)
    for (const row of rows) if (row.outcome !== Outcome.RETRY) this.#ended.add(row.offset)
  }

  hasEnd(offset: number): boolean {
    return this.#ended.has(offset)
  }
}

import { backoffMs } from '../../runtime/backoff.ts'
import type { LaneId, Run } from '../../runtime/lane-keys.ts'
import type { Logger } from '../../runtime/log.ts'
import type { RowOwner } from './attempt.ts'
import type { Insert } from './log-insert.ts'
import { copy, type FastBuffer, textBytes, u32, u64, varint } from './row-binary.ts'

/** Numbers of the table's Enum. */
export const rangeKinds = { TOMBSTONE: 2, COMPACTED: 3, TRANSACTION: 4, RETENTION: 5 } as const
export type RangeKind = keyof typeof rangeKinds

interface Pending<E> {
  readonly id: LaneId
  readonly epoch: number
  readonly kind: RangeKind
  readonly runs: { first: number; last: number }[]
  readonly owner: RowOwner<E>
  /** Slots of the owner's window that the runs stand in: all in arrays, a topic may consist of tombstones. */
  readonly slots: number[]
}

/** Offsets without an attempt: one row per lane, kind and flush. One insert at a time, each under a token of its own. */
export class RangeLog<E> {
  readonly #insert: Insert
  readonly #instance: string
  readonly #log: Logger
  #pending = new Map<string, Pending<E>>()
  #counter = 0
  #inserting = false

  constructor(insert: Insert, instance: string, log: Logger) {
    this.#insert = insert
    this.#instance = instance
    this.#log = log
  }

  /** Runs of one lane, epoch and kind must be added in rising order, all by one owner. */
  add(id: LaneId, lane: string, epoch: number, kind: RangeKind, run: Run, owner: RowOwner<E>, slot: number): void {
    const key = `${lane} ${epoch} ${kind}`
    let pending = this.#pending.get(key)
    if (pending === undefined) {
      pending = { id, epoch, kind, runs: [], owner, slots: [] }
      this.#pending.set(key, pending)
    }
    const last = pending.runs.at(-1)
    if (last !== undefined && last.last + 1 === run.first) last.last = run.last
    else pending.runs.push({ ...run })
    pending.slots.push(slot)
  }

  get busy(): boolean {
    return this.#pending.size > 0 || this.#inserting
  }

  flush(): void {
    if (this.#inserting || this.#pending.size === 0) return
    const rows = [...this.#pending.values()]
    this.#pending = new Map()
    this.#inserting = true
    void this.#send(rows).finally(() => {
      this.#inserting = false
    })
  }

  async #send(rows: readonly Pending<E>[]): Promise<void> {
    const bytes = Buffer.concat(rows.map((row) => encodeRange(row, this.#instance, Date.now())))
    const token = `${this.#instance}-r${this.#counter++}`
    for (let failures = 0; ; failures++) {
      try {
        await this.#insert('ranges', bytes, token)
        break
      } catch (error) {
        if (failures === 0)
          this.#log.warn({ error: String(error).slice(0, 500) }, 'range log: ClickHouse did not take a batch, trying again')
        await new Promise((resolve) => setTimeout(resolve, 50 + backoffMs(failures, 100, 2000, Math.random())))
      }
    }
    for (const { owner, slots } of rows) for (const slot of slots) owner.acknowledged(slot, undefined)
  }
}

function encodeRange<E>(row: Pending<E>, worker: string, nowMs: number): Buffer {
  const { id, runs } = row
  const head = Buffer.concat([textBytes(id.uid), textBytes(id.cluster), textBytes(id.topic)])
  const tail = textBytes(worker)
  const out = Buffer.alloc(head.length + tail.length + runs.length * 16 + 64) as FastBuffer
  let at = copy(out, 0, head)
  at = u32(out, at, id.partition)
  out[at++] = 0 // replay
  out[at++] = rangeKinds[row.kind]
  out[at++] = 0 // reason
  at = varint(out, at, runs.length)
  for (const run of runs) at = u64(out, u64(out, at, run.first), run.last)
  at = u64(out, at, row.epoch)
  at = copy(out, at, tail)
  return out.subarray(0, u64(out, at, nowMs))
}

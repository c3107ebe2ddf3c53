import { type LaneId, type Run, splitUid } from '../../runtime/lane-keys.ts'
import type { RowOwner } from './attempt.ts'
import type { InsertQueue } from './insert-queue.ts'
import { rangesTable } from './log-table.ts'
import { copy, type FastBuffer, textBytes, u32, u64, varint } from './row-binary.ts'

/** Numbers of the table's Enum. */
export const rangeKinds = { FILTERED: 1, TOMBSTONE: 2, COMPACTED: 3, TRANSACTION: 4, RETENTION: 5 } as const
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

/** A few rows count as so much. */
const SIZE_MIN = 64 * 1024

/** Offsets without an attempt: one row per lane, kind and flush. One insert at a time, each under a token of its own. */
export class RangeLog<E> {
  readonly #queue: InsertQueue
  readonly #instance: string
  #pending = new Map<string, Pending<E>>()
  #counter = 0
  #inserting = false

  constructor(queue: InsertQueue, instance: string) {
    this.#queue = queue
    this.#instance = instance
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
    const pending = [...this.#pending.values()]
    this.#pending = new Map()
    this.#inserting = true
    const rows = pending.map((row) => encodeRange(row, this.#instance, Date.now()))
    const bytes = Buffer.concat(rows)
    const ends: number[] = []
    for (const row of rows) ends.push((ends.at(-1) ?? 0) + row.length)
    this.#queue.push({
      ...{ table: rangesTable, bytes, ends, rows: rows.length, token: `${this.#instance}-r${this.#counter++}` },
      size: Math.max(bytes.length, SIZE_MIN),
      acknowledge: () => {
        this.#inserting = false
        for (const { owner, slots } of pending) for (const slot of slots) owner.acknowledged(slot, undefined)
      },
    })
  }
}

function encodeRange<E>(row: Pending<E>, worker: string, nowMs: number): Buffer {
  const { id, runs } = row
  const { uid, replay } = splitUid(id.uid)
  const head = Buffer.concat([textBytes(uid), textBytes(id.cluster), textBytes(id.topic)])
  const [replayBytes, tail] = [textBytes(replay), textBytes(worker)]
  const out = Buffer.alloc(head.length + replayBytes.length + tail.length + runs.length * 16 + 64) as FastBuffer
  let at = copy(out, 0, head)
  at = u32(out, at, id.partition)
  at = copy(out, at, replayBytes)
  out[at++] = rangeKinds[row.kind]
  out[at++] = 0 // reason
  at = varint(out, at, runs.length)
  for (const run of runs) at = u64(out, u64(out, at, run.first), run.last)
  at = u64(out, at, row.epoch)
  at = copy(out, at, tail)
  return out.subarray(0, u64(out, at, nowMs))
}

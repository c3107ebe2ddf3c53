import type { Attempt, RowOwner } from './attempt.ts'
import { Batch } from './batch.ts'
import { type EncodedLane, encodeAttempt, rowBytesMax } from './encode-attempt.ts'
import type { InsertQueue } from './insert-queue.ts'
import { attemptInserts } from './log-table.ts'

export interface AttemptLogOptions {
  /** Random and new for each process: tokens are never used for other bytes. */
  readonly instance: string
  readonly batchBytes: number
}

/** An almost empty batch counts as so much. */
const BATCH_BYTES_MIN = 64 * 1024
/** Batches without rows that are kept for the next ones. */
const SPARES_MAX = 3

/**
 * Takes attempt rows, encodes each at once into the open batch, and hands batches on until they are durable. A batch that is not
 * full leaves only when an insert can begin: the slower ClickHouse is, the larger batches become. While it is away they fill up to
 * what may wait; then `open` is false and nothing more may be added, unless there is a spool that takes them.
 */
export class AttemptLog<E> {
  readonly #queue: InsertQueue
  readonly #options: AttemptLogOptions
  readonly #spare: Batch<E>[] = []
  #current: Batch<E>
  #out = 0
  #counter = 0

  constructor(queue: InsertQueue, options: AttemptLogOptions) {
    this.#queue = queue
    this.#options = options
    this.#current = new Batch(options.batchBytes)
  }

  /** Whether another attempt may start: its row is sure to find room. */
  get open(): boolean {
    return this.#queue.open
  }

  /** Rows are waiting or on their way. */
  get busy(): boolean {
    return this.#current.rows > 0 || this.#out > 0
  }

  /** Encodes the row now; `owner` hears when it is durable. */
  add(lane: EncodedLane, row: Attempt, owner: RowOwner<E>, slot: number, entry: E | undefined): void {
    const size = rowBytesMax(lane, row)
    if (this.#current.at + size > this.#current.out.length) this.#freeze(size)
    const batch = this.#current
    batch.push(encodeAttempt(batch.out, batch.at, lane, row), owner, slot, entry)
  }

  /** Sends what has come in, as soon as an insert can begin; called some times a second. */
  readonly flush = (): void => {
    if (this.#current.rows === 0) return
    if (this.#queue.ready) this.#freeze(0)
    else this.#queue.whenReady(this.flush)
  }

  /** Closes the open batch, and opens another one with room for `size` bytes. */
  #freeze(size: number): void {
    const batch = this.#current
    const { batchBytes, instance } = this.#options
    this.#current = size > batchBytes ? new Batch(size) : (this.#spare.pop() ?? new Batch(batchBytes))
    if (batch.rows === 0) {
      this.#keep(batch)
      return
    }
    const { out, at, ends, rows } = batch
    this.#out++
    this.#queue.push({
      ...{ table: attemptInserts, bytes: out.subarray(0, at), ends, rows, token: `${instance}-a${this.#counter++}` },
      size: Math.max(at, Math.min(batchBytes, BATCH_BYTES_MIN)),
      acknowledge: (isFree) => {
        this.#out--
        batch.acknowledge()
        if (isFree) this.#keep(batch)
      },
    })
  }

  #keep(batch: Batch<E>): void {
    if (batch.out.length === this.#options.batchBytes && this.#spare.length < SPARES_MAX) this.#spare.push(batch)
  }
}

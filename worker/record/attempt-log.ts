import type { Logger } from '../../runtime/log.ts'
import type { Attempt, RowOwner } from './attempt.ts'
import { Batch } from './batch.ts'
import { type EncodedLane, encodeAttempt, rowBytesMax } from './encode-attempt.ts'
import { insertBatch } from './insert-batch.ts'
import type { Insert, RefusedRowsError } from './log-insert.ts'

export interface AttemptLogOptions {
  /** Random and new for each process: tokens are never used for other bytes. */
  readonly instance: string
  readonly batchBytes: number
  /** Full batches that may wait for ClickHouse; then the log takes nothing more. */
  readonly batchesMax: number
  readonly insertsMax: number
}

/** An almost empty batch counts as so much. */
const BATCH_BYTES_MIN = 64 * 1024

/**
 * Takes attempt rows, encodes each at once into the open batch, and inserts batches into ClickHouse until they are durable.
 * A batch that is not full leaves only when an insert can begin: the slower ClickHouse is, the larger batches become. While it is
 * away they fill up to their number; then `open` is false and nothing more may be added.
 *
 * Several inserts are on the way at once and may land in any order; their rows' owners hear of them in the order in which the
 * rows came. So whatever a lane holds for ended, everything that it ended before is durable, too: a later record of a key never
 * counts while an earlier one could still be lost, and sent again after it.
 */
export class AttemptLog<E> {
  readonly #insert: Insert
  readonly #options: AttemptLogOptions
  readonly #log: Logger
  readonly #onAcknowledged: () => void
  readonly #spare: Batch<E>[] = []
  /** Frozen and not acknowledged, oldest first; the last `#waiting` of them are not on their way yet. */
  readonly #frozen: Batch<E>[] = []
  #waiting = 0
  #frozenBytes = 0
  #current: Batch<E>
  #inserting = 0
  /** flush() has found no insert that could begin. */
  #flushDue = false
  #failures = 0
  #counter = 0
  /** Rows that ClickHouse did not take with their headers and bodies. */
  strippedRows = 0

  constructor(insert: Insert, options: AttemptLogOptions, log: Logger, onAcknowledged: () => void) {
    this.#insert = insert
    this.#options = options
    this.#log = log
    this.#onAcknowledged = onAcknowledged
    this.#current = new Batch(options.batchBytes)
  }

  /** Whether another attempt may start: its row is sure to find room. */
  get open(): boolean {
    return this.#frozenBytes < this.#options.batchesMax * this.#options.batchBytes
  }

  /** Rows are waiting or on their way. */
  get busy(): boolean {
    return this.#current.rows > 0 || this.#frozen.length > 0
  }

  /** Encodes the row now; `owner` hears when it is durable. */
  add(lane: EncodedLane, row: Attempt, owner: RowOwner<E>, slot: number, entry: E | undefined): void {
    const size = rowBytesMax(lane, row)
    if (this.#current.at + size > this.#current.out.length) this.#freeze(size)
    const batch = this.#current
    batch.push(encodeAttempt(batch.out, batch.at, lane, row), owner, slot, entry)
  }

  /** Sends what has come in, as soon as an insert can begin; called some times a second. */
  flush(): void {
    this.#flushDue = this.#current.rows > 0 && (this.#waiting > 0 || this.#inserting >= this.#options.insertsMax)
    if (!this.#flushDue && this.#current.rows > 0) this.#freeze(0)
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
    batch.token = `${instance}-a${this.#counter++}`
    this.#frozen.push(batch)
    this.#frozenBytes += this.#sizeOf(batch)
    this.#waiting++
    this.#start()
  }

  #start(): void {
    while (this.#inserting < this.#options.insertsMax && this.#waiting > 0) {
      this.#inserting++
      void this.#deliver(this.#frozen[this.#frozen.length - this.#waiting--]!)
    }
  }

  async #deliver(batch: Batch<E>): Promise<void> {
    const { out, at, ends, rows, token } = batch
    await insertBatch(
      this.#insert,
      { table: 'attempt_inserts', bytes: out.subarray(0, at), ends, rows, token },
      { failed: (error) => this.#failed(error), taken: () => this.#taken(), stripped: (error) => this.#stripped(error) },
    )
    batch.landed = true
    this.#inserting--
    while (this.#frozen[0]?.landed) {
      const first = this.#frozen.shift()!
      this.#frozenBytes -= this.#sizeOf(first)
      first.acknowledge()
      this.#keep(first)
    }
    this.#start()
    if (this.#flushDue) this.flush()
    this.#onAcknowledged()
  }

  #sizeOf({ at }: Batch<E>): number {
    return Math.max(at, Math.min(this.#options.batchBytes, BATCH_BYTES_MIN))
  }

  #keep(batch: Batch<E>): void {
    const { batchBytes, insertsMax } = this.#options
    if (batch.out.length === batchBytes && this.#spare.length <= insertsMax) this.#spare.push(batch)
  }

  #failed(error: unknown): void {
    if (this.#failures++ > 0) return
    this.#log.warn({ error: String(error).slice(0, 500) }, 'attempt log: ClickHouse did not take a batch, trying again')
  }

  #taken(): void {
    if (this.#failures > 0) this.#log.info({}, 'attempt log: ClickHouse takes batches again')
    this.#failures = 0
  }

  #stripped(error: RefusedRowsError): void {
    this.strippedRows++
    this.#log.error(
      { code: error.code, error: error.message.slice(0, 500) },
      'attempt log: ClickHouse refuses a row; it is in the log without its headers and bodies',
    )
  }
}

import { backoffMs } from '../../runtime/backoff.ts'
import type { Logger } from '../../runtime/log.ts'
import type { Attempt, RowOwner } from './attempt.ts'
import { type EncodedLane, encodeAttempt, rowBytesMax } from './encode-attempt.ts'
import type { Insert } from './log-insert.ts'
import type { FastBuffer } from './row-binary.ts'

export interface AttemptLogOptions {
  /** Random and new for each process: tokens are never used for other bytes. */
  readonly instance: string
  readonly batchBytes: number
  /** Batches that may exist at once; when all are full the log takes nothing more. */
  readonly batchesMax: number
  readonly insertsMax: number
}

/** Rows that leave together, once frozen always as the same bytes under the same token. */
class Batch<E> {
  readonly out: FastBuffer
  readonly owners: RowOwner<E>[] = []
  readonly slots: number[] = []
  readonly entries: (E | undefined)[] = []
  rows = 0
  at = 0
  token = ''
  constructor(bytes: number) {
    this.out = Buffer.allocUnsafeSlow(bytes) as FastBuffer
  }
}

/**
 * Takes attempt rows, encodes each at once into the open batch, and inserts batches into ClickHouse until they are durable.
 * While ClickHouse is away batches fill up to their number; then `open` is false and nothing more may be added.
 */
export class AttemptLog<E> {
  readonly #insert: Insert
  readonly #options: AttemptLogOptions
  readonly #log: Logger
  readonly #onAcknowledged: () => void
  readonly #spare: Batch<E>[] = []
  readonly #queue: Batch<E>[] = []
  #current: Batch<E>
  #inserting = 0
  #failures = 0
  #counter = 0
  #idle: (() => void)[] = []

  constructor(insert: Insert, options: AttemptLogOptions, log: Logger, onAcknowledged: () => void) {
    this.#insert = insert
    this.#options = options
    this.#log = log
    this.#onAcknowledged = onAcknowledged
    this.#current = new Batch(options.batchBytes)
  }

  /** Whether another attempt may start: its row is sure to find room. */
  get open(): boolean {
    return this.#queue.length + this.#inserting < this.#options.batchesMax
  }

  /** Whether inserts fail at present. */
  get failing(): boolean {
    return this.#failures > 1
  }

  /** Rows are waiting or on their way. */
  get busy(): boolean {
    return this.#current.rows > 0 || this.#queue.length > 0 || this.#inserting > 0
  }

  /** Encodes the row now; `owner` hears when it is durable. */
  add(lane: EncodedLane, row: Attempt, owner: RowOwner<E>, slot: number, entry: E | undefined): void {
    const size = rowBytesMax(lane, row)
    if (this.#current.at + size > this.#current.out.length) {
      this.#freeze()
      if (size > this.#current.out.length) this.#current = new Batch(size)
    }
    const batch = this.#current
    batch.at = encodeAttempt(batch.out, batch.at, lane, row)
    const index = batch.rows++
    batch.owners[index] = owner // kept and overwritten: length = 0 would give their memory back each time
    batch.slots[index] = slot
    batch.entries[index] = entry
  }

  /** Sends what has come in; called some times a second. While inserts fail, batches fill up instead. */
  flush(): void {
    if (this.#current.rows > 0 && (this.#failures === 0 || this.#queue.length === 0)) this.#freeze()
  }

  /** Resolves when everything added so far is durable. */
  async drained(): Promise<void> {
    while (this.busy) {
      this.flush()
      await new Promise<void>((resolve) => this.#idle.push(resolve))
    }
  }

  #freeze(): void {
    const batch = this.#current
    if (batch.rows > 0) {
      batch.token = `${this.#options.instance}-a${this.#counter++}`
      this.#queue.push(batch)
      this.#current = this.#spare.pop() ?? new Batch(this.#options.batchBytes)
    }
    this.#start()
  }

  #start(): void {
    while (this.#inserting < this.#options.insertsMax && this.#queue.length > 0) {
      this.#inserting++
      void this.#deliver(this.#queue.shift()!)
    }
  }

  async #deliver(batch: Batch<E>): Promise<void> {
    for (let failures = 0; ; failures++) {
      try {
        await this.#insert('attempt_inserts', batch.out.subarray(0, batch.at), batch.token)
        break
      } catch (error) {
        if (this.#failures++ === 0)
          this.#log.warn({ error: String(error).slice(0, 500) }, 'attempt log: ClickHouse did not take a batch, trying again')
        await new Promise((resolve) => setTimeout(resolve, 50 + backoffMs(failures, 100, 2000, Math.random())))
      }
    }
    if (this.#failures > 0) this.#log.info({}, 'attempt log: ClickHouse takes batches again')
    this.#failures = 0
    this.#acknowledge(batch)
    this.#inserting--
    this.#start()
    this.#onAcknowledged()
    for (const resolve of this.#idle.splice(0)) resolve()
  }

  #acknowledge(batch: Batch<E>): void {
    const { owners, slots, entries, rows } = batch
    for (let i = 0; i < rows; i++) {
      owners[i]!.acknowledged(slots[i]!, entries[i])
      entries[i] = undefined
    }
    batch.rows = 0
    batch.at = 0
    if (batch.out.length === this.#options.batchBytes && this.#spare.length < this.#options.insertsMax + 1)
      this.#spare.push(batch)
  }
}

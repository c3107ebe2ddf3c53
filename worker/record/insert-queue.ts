import type { Logger } from '../../runtime/log.ts'
import { type FrozenRows, insertBatch } from './insert-batch.ts'
import type { Insert, RefusedRowsError } from './log-insert.ts'

// Frozen inserts on their way to where they are durable: ClickHouse, or the spool (a topic in Kafka, worker/spool) while it is away.
//
//   ClickHouse                                               | inserts
//   takes                                                    | go into ClickHouse, some at once, each for as long as it takes
//   has taken nothing for spoolAfterMs, or fails and as much | go into the spool, oldest first and one at a time; about once a
//   waits as may                                             | second one of them is tried at ClickHouse, too, once
//   takes again                                              | go into ClickHouse; the spool is drained beside them (spool-drain.ts)
//   is away, and Kafka too                                   | wait; whoever takes first gets them, and owners hear nothing
//
// An insert may come to both, with the same bytes and the same token: ClickHouse keeps one of them. Since it remembers only so many
// tokens, an insert that is in the spool is not tried any longer by the way of a worker that may be cut off for hours.

export interface FrozenInsert extends FrozenRows {
  /** What it counts of the bytes that may wait. */
  readonly size: number
  /** It is durable, and all that came before it, too. isFree: nobody reads its bytes any more. */
  acknowledge(isFree: boolean): void
}

export interface InsertQueueOptions {
  /** Then the queue is not open. */
  readonly bytesMax: number
  readonly insertsMax: number
  readonly spoolAfterMs: number
  /** Any clock in ms that does not go back. */
  readonly now: () => number
}

interface Entry {
  readonly frozen: FrozenInsert
  readonly sinceMs: number
  isInserting: boolean
  /** ClickHouse may have begun with it. */
  wasTried: boolean
  isSpooling: boolean
  /** Durable; its owner hears of it when all earlier ones are, too. */
  hasLanded: boolean
}

const PROBE_MS = 1000

/** Thrown within: the other way is better, or was faster. */
class NotNeededError extends Error {}

/**
 * Several inserts are on the way at once and may land in any order; their owners hear of them in the order in which they came. So
 * whatever a lane holds for ended, everything that it ended before is durable, too: a later record of a key never counts while an
 * earlier one could still be lost, and sent again after it.
 */
export class InsertQueue {
  readonly #insert: Insert
  readonly #spool: Insert | undefined
  readonly #options: InsertQueueOptions
  readonly #log: Logger
  readonly #onAcknowledged: () => void
  readonly #waiters = new Set<() => void>()
  /** Oldest first. */
  readonly #entries: Entry[] = []
  #bytes = 0
  #inserting = 0
  #isWriting = false
  #isSpooling = false
  /** In a row. */
  #failures = 0
  #spoolFailures = 0
  #takenAt = 0
  #probeAt = 0
  /** Rows that went without their headers and bodies. */
  strippedRows = 0
  /** Inserts that went into the spool. */
  spooledInserts = 0
  /** Rows that are durable. */
  landedRows = 0

  constructor(insert: Insert, spool: Insert | undefined, options: InsertQueueOptions, log: Logger, onAcknowledged: () => void) {
    this.#insert = insert
    this.#spool = spool
    this.#options = options
    this.#log = log
    this.#onAcknowledged = onAcknowledged
  }

  /** Whether there is room for more. */
  get open(): boolean {
    return this.#bytes < this.#options.bytesMax
  }

  /** Bytes that wait, or are on their way. */
  get waitingBytes(): number {
    return this.#bytes
  }

  get isSpooling(): boolean {
    return this.#isSpooling
  }

  /** Whether an insert that comes now is on its way at once. */
  get ready(): boolean {
    if (this.#entries.some(isWaiting)) return false
    return this.#isSpooling ? !this.#isWriting : this.#inserting < this.#options.insertsMax
  }

  /** Calls once when an insert can begin. */
  whenReady(call: () => void): void {
    this.#waiters.add(call)
  }

  /** Its bytes must stay as they are until it is acknowledged, and for ever when they are not free by then. */
  push(frozen: FrozenInsert): void {
    const sinceMs = this.#options.now()
    this.#entries.push({ frozen, sinceMs, isInserting: false, wasTried: false, isSpooling: false, hasLanded: false })
    this.#bytes += frozen.size
    this.#start()
  }

  /** Called some times a second: decides whether ClickHouse has been away for long enough. */
  look(): void {
    const oldest = this.#entries[0]
    if (this.#isSpooling || this.#spool === undefined || oldest === undefined) return
    const silentMs = this.#options.now() - Math.max(this.#takenAt, oldest.sinceMs)
    if (silentMs < this.#options.spoolAfterMs && (this.open || this.#failures === 0)) return
    this.#isSpooling = true
    this.#log.warn({ silentMs: Math.round(silentMs) }, 'attempt log: ClickHouse is away, rows go into the spool')
    this.#start()
  }

  #start(): void {
    const { insertsMax, now } = this.#options
    if (this.#isSpooling) {
      const probe = this.#inserting === 0 && now() >= this.#probeAt ? this.#entries.find(isWaiting) : undefined
      if (!this.#isWriting && this.#oldest() !== undefined) void this.#writeSpool()
      if (probe === undefined) return
      this.#probeAt = now() + PROBE_MS
      void this.#deliver(probe)
    }
    while (!this.#isSpooling && this.#inserting < insertsMax) {
      const next = this.#entries.find(isWaiting)
      if (next === undefined) return
      void this.#deliver(next)
    }
  }

  async #deliver(entry: Entry): Promise<void> {
    this.#inserting++
    entry.isInserting = true
    const { wasTried } = entry
    entry.wasTried = true
    const isTaken = await unlessNotNeeded(
      insertBatch(
        this.#insert,
        entry.frozen,
        {
          failed: (error) => {
            this.#failed(error)
            if (this.#isSpooling || entry.hasLanded) throw new NotNeededError()
          },
          taken: () => this.#taken(),
          stripped: (error) => this.#stripped(error),
        },
        wasTried,
      ),
    )
    this.#inserting--
    entry.isInserting = false
    if (isTaken) this.#landed(entry)
    else this.#start()
  }

  /** Until ClickHouse takes again, or nothing waits. */
  async #writeSpool(): Promise<void> {
    this.#isWriting = true
    for (let entry = this.#oldest(); this.#isSpooling && entry !== undefined; entry = this.#oldest()) {
      entry.isSpooling = true
      const isWritten = await this.#write(entry)
      entry.isSpooling = false
      if (isWritten && !entry.hasLanded) {
        this.spooledInserts++
        this.#landed(entry)
      }
    }
    this.#isWriting = false
    this.#start()
    this.#tell()
  }

  #oldest(): Entry | undefined {
    return this.#entries.find((each) => !each.hasLanded)
  }

  #write(entry: Entry): Promise<boolean> {
    let isBegun = false
    return unlessNotNeeded(
      insertBatch(this.#spool!, entry.frozen, {
        failed: (error) => {
          // What has begun to be there as parts, with tokens of their own, stays there.
          if (!isBegun && (!this.#isSpooling || entry.hasLanded)) throw new NotNeededError()
          if (this.#spoolFailures++ === 0)
            this.#log.warn({ error: String(error).slice(0, 500) }, 'attempt log: Kafka does not take the spool, trying again')
        },
        taken: () => {
          isBegun = true
          this.#spoolFailures = 0
        },
        stripped: (error) => this.#stripped(error),
      }),
    )
  }

  #landed(entry: Entry): void {
    entry.hasLanded = true
    this.landedRows += entry.frozen.rows
    while (this.#entries[0]?.hasLanded) {
      const { frozen, isInserting, isSpooling } = this.#entries.shift()!
      this.#bytes -= frozen.size
      frozen.acknowledge(!isInserting && !isSpooling)
    }
    this.#start()
    this.#tell()
    this.#onAcknowledged()
  }

  #tell(): void {
    for (const call of this.#waiters) {
      if (!this.ready) return
      this.#waiters.delete(call)
      call()
    }
  }

  #failed(error: unknown): void {
    if (this.#failures++ > 0) return
    this.#log.warn({ error: String(error).slice(0, 500) }, 'attempt log: ClickHouse did not take a batch, trying again')
  }

  #taken(): void {
    if (this.#failures > 0) this.#log.info({}, 'attempt log: ClickHouse takes batches again')
    this.#failures = 0
    this.#takenAt = this.#options.now()
    this.#isSpooling = false
  }

  #stripped(error: RefusedRowsError): void {
    this.strippedRows++
    this.#log.error(
      { by: error.by, code: error.code, error: error.message.slice(0, 500) },
      'attempt log: a row is refused; it is in the log without its headers and bodies',
    )
  }
}

async function unlessNotNeeded(work: Promise<void>): Promise<boolean> {
  try {
    await work
    return true
  } catch (error) {
    if (error instanceof NotNeededError) return false
    throw error
  }
}

/** Not on its way to ClickHouse. */
const isWaiting = ({ isInserting, hasLanded }: Entry): boolean => !isInserting && !hasLanded

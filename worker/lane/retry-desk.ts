import type { Logger } from '../../runtime/log.ts'
import { hashKey } from './key-order.ts'
import type { Lane } from './lane.ts'
import { loadBytes, type RecordSources } from './load-bytes.ts'
import { unpackRecord } from './packed-record.ts'
import type { Parked } from './parked.ts'
import { takeDue } from './take-due.ts'

const AGAIN_MS = 1000

/** Of a delivery that the log has lost not even the key was known: now it waits in its place behind others of it. */
function takesItsKey({ parking, window, route }: Lane, entry: Parked, nowMs: number): boolean {
  if (route.plan.ordering !== 'KEY' || window.order === undefined) return false
  if (entry.keyHash !== undefined || entry.packed === undefined) return false
  const { key } = unpackRecord(entry.packed, entry.offset)
  if (key === null) return false
  parking.takeKey(entry, hashKey(key), nowMs)
  return true
}

// A parked delivery that is due and whose bytes are there is loaded; behind one who does not answer, it is tried again a second later.

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
    const absent = takeDue(this.#lane, nowMs)
    if (absent.length === 0) return loaded.length > 0
    this.#loading = true
    try {
      await loadBytes(this.#lane, this.#sources, absent, nowMs)
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
    const isOrdered = this.#lane.route.plan.ordering === 'PARTITION'
    let goesOn = true
    for (const entry of absent) {
      if (entry.ended || takesItsKey(this.#lane, entry, nowMs)) continue
      // Not sending: one before has ended, and it is its turn by itself.
      goesOn &&= !isOrdered || (entry.packed !== undefined && entry.sending)
      if (goesOn && entry.packed !== undefined) loaded.push(entry)
      else parking.defer(entry, nowMs + AGAIN_MS)
    }
    return loaded.length > 0
  }
}

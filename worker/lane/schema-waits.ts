import type { SchemaPending } from '../../convert/decode/registry/schema-source.ts'
import type { Load } from './load.ts'
import type { Settling } from './settling.ts'
import type { Window } from './window.ts'

// What becomes of a record whose schema is not known yet.
//
//   a record that is | waits                                                        | until
//   fresh            | in its slot of the window: those of its key stay behind it,  | the schema is there, or may be asked for again
//                    | the cursor stays below it, nothing of it is on its way       |
//   parked           | where it is                                                  | a little later

/** While the schema is being fetched, and while the registry does not give it. */
const SOON_MS = 200
const LATER_MS = 5000

/** Records of a lane that wait for schemas. The window, and the memory that its records hold, bound how many there can be. */
export class SchemaWaits {
  /** Fresh records that wait. */
  size = 0
  readonly #slots = new Map<SchemaPending, number[]>()
  readonly #window: Window
  readonly #settling: Settling
  readonly #wake: () => void

  /** wake: called when there may be something to send again. */
  constructor(window: Window, settling: Settling, wake: () => void) {
    this.#window = window
    this.#settling = settling
    this.#wake = wake
  }

  /** Takes the record out of its load, which is free then. nowMs: Unix ms. */
  add(load: Load, pending: SchemaPending, nowMs: number): void {
    const { slot, entry } = load
    let slots = this.#slots.get(pending)
    if (slots === undefined) {
      slots = []
      this.#slots.set(pending, slots)
      void pending.settled.then(() => this.#settled(pending))
    }
    if (entry !== undefined) this.#settling.putBack(entry, nowMs + (pending.trouble() === undefined ? SOON_MS : LATER_MS))
    else {
      slots.push(slot)
      this.size++
    }
    load.release()
  }

  #settled(pending: SchemaPending): void {
    const slots = this.#slots.get(pending)!
    this.#slots.delete(pending)
    this.size -= slots.length
    for (const slot of slots) this.#window.makeReady(slot)
    this.#wake()
  }

  /** Why a registry does not give a schema that records wait for; undefined while none does that. */
  get trouble(): string | undefined {
    for (const pending of this.#slots.keys()) {
      const trouble = pending.trouble()
      if (trouble !== undefined) return trouble
    }
    return undefined
  }
}

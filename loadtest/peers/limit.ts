// Process of its own: undici alone. The same body again and again, no Kafka: what no consumer on undici can beat.
import { Client, type Dispatcher, Pool } from 'undici'
import { bodyMaker } from '../body-maker.ts'
import { valueMaker } from '../records.ts'
import { type LimitOptions, readPeerOptions } from './peer-options.ts'

const { url, payload, inFlight, records, connections } = readPeerOptions<LimitOptions>()
const { origin, pathname } = new URL(url)
const body = bodyMaker(payload).pass(valueMaker(payload)(0))
const headers = ['content-type', 'application/json']
const request: Dispatcher.DispatchOptions = { origin, path: pathname, method: 'POST', headers, body }
const pool = connections === 'pool' ? new Pool(origin, { connections: inFlight }) : undefined
let started = 0

/** A request slot; used again as soon as its answer is there. */
class Slot implements Dispatcher.DispatchHandler {
  readonly #dispatcher: Dispatcher = pool ?? new Client(origin)
  #status = 0

  next(): void {
    if (started === records) return
    started++
    this.#dispatcher.dispatch(request, this)
  }

  onRequestStart(): void {}

  onResponseStart(_controller: Dispatcher.DispatchController, status: number): void {
    this.#status = status
  }

  onResponseData(): void {}

  onResponseEnd(): void {
    if (this.#status !== 204) throw new Error(`status ${this.#status}`)
    this.next()
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    throw error
  }
}

for (let count = 0; count < inFlight; count++) new Slot().next()
// Stays until it is stopped: its figures are read from outside.
setInterval(() => {}, 1 << 30)

import type { Socket } from 'node:net'
import { type buildConnector, Client, type Dispatcher } from 'undici'

const NO_HEADERS: readonly Buffer[] = []
const NO_BODY = Buffer.alloc(0)

/** Where requests go, and within which limits. */
export interface Target {
  readonly origin: string
  readonly path: string
  readonly method: 'POST' | 'PUT' | 'PATCH'
  readonly requestTimeoutMs: number
  /** Opens connections within its own timeout, and only to where they may lead. */
  readonly connect: buildConnector.connector
  /** So much of an answer's body is kept. */
  readonly responseBodyBytesMax: number
}

/** An answer's body is read so far; then the connection is closed and the status decides. */
export const READ_BYTES_MAX = 1 << 20
/** So much may come over a connection for one answer: more than any body that is read, however it is chunked. */
const FLOOD_BYTES_MAX = 16 << 20
/** Answers before the answer (1xx). They cost more than their bytes, and one or two are what a server may have to say. */
const INTERIM_MAX = 100
/**
 * An idle connection is kept so long, unless the endpoint says less: undici's own default. Many servers close theirs after five
 * seconds without saying so, and a request that meets the end costs its delivery a retry.
 */
const KEEP_ALIVE_MS = 4000

/** Why Ferry itself ended a request. */
export type Cut = 'TIMEOUT' | 'ABORTED'

/** What comes is neither an answer nor a body that could be counted. */
class FloodError extends Error {
  readonly code = 'FERRY_ANSWER_FLOOD'
}

/** 204 and 304 have no body, whatever their headers say (RFC 9112, 6.3): the answer was whole when those ended. */
const isWhole = (status: number, error: unknown): boolean =>
  (status === 204 || status === 304) &&
  (error as { readonly code?: unknown } | undefined)?.code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH'

interface Controller {
  readonly rawHeaders?: readonly Buffer[] | null
  abort(reason: Error): void
}

/** undici's handler of one Client. A Client that was dropped still reports its end: by then nobody listens. */
class Listener<L> {
  flight: Flight<L> | undefined
  constructor(flight: Flight<L>) {
    this.flight = flight
  }
  onRequestStart(controller: Controller): void {
    this.flight?.writing(controller)
  }
  onResponseStart(controller: Controller, status: number): void {
    if (status >= 200) this.flight?.answering(status, controller.rawHeaders ?? NO_HEADERS)
    else this.flight?.interim()
  }
  onResponseData(_controller: Controller, chunk: Buffer): void {
    this.flight?.reading(chunk)
  }
  onResponseEnd(): void {
    this.flight?.land()
  }
  onResponseError(_controller: Controller, error: unknown): void {
    this.flight?.fail(error)
  }
}

/**
 * One request slot: an undici Client of its own with one connection, and one options object, reused for every
 * request. What it carries (`load`) is the lane's; the flight knows nothing of it.
 */
export class Flight<L> {
  load: L
  /** 0: there was no answer, `error` or `cut` says why. */
  status = 0
  error: unknown
  cut: Cut | undefined
  responseHeaders: readonly Buffer[] = NO_HEADERS
  responseBody: Buffer = NO_BODY
  responseBytes = 0
  /** By performance.now(). */
  sentAt = 0
  endedAt = 0
  busy = false
  readonly #landed: (flight: Flight<L>) => void
  readonly #mayWrite: () => boolean
  readonly #options: { origin: string; path: string; method: Target['method']; headers: string[]; body: Buffer }
  #target: Target
  /** Requests so far. */
  #requests = 0
  #interims = 0
  #isDispatching = false
  #isHeld = false
  #client: Client | undefined
  #clientOf: Target | undefined
  #socket: Socket | undefined
  /** The request that expire() has seen last, and what the connection had read by then. */
  #seen = 0
  #readBytes = 0
  #listener: Listener<L>

  /** mayWrite is asked when a request is written, which waits for its connection: who sent it may have lost the right to since. */
  constructor(target: Target, load: L, landed: (flight: Flight<L>) => void, mayWrite: () => boolean) {
    this.load = load
    this.#target = target
    this.#landed = landed
    this.#mayWrite = mayWrite
    this.#listener = new Listener(this)
    this.#options = { origin: target.origin, path: target.path, method: target.method, headers: [], body: NO_BODY }
  }

  /** Takes the slot for a request whose body is still being made: until send() only abort() ends it. Answers the number of the hold. */
  hold(target: Target, now: number): number {
    this.#begin(target, now)
    this.#isHeld = true
    return this.#requests
  }

  /** Whether the slot is still taken by this hold. */
  isHeld(hold: number): boolean {
    return this.#isHeld && this.busy && hold === this.#requests
  }

  /** There is nothing to send: the slot is free, and nobody is told. */
  letGo(): void {
    this.busy = false
    this.#isHeld = false
  }

  #begin(target: Target, now: number): void {
    this.#target = target
    this.status = 0
    this.error = undefined
    this.cut = undefined
    this.responseHeaders = NO_HEADERS
    this.responseBody = NO_BODY
    this.responseBytes = 0
    this.sentAt = now
    this.busy = true
    this.#isHeld = false
    this.#requests++
    this.#interims = 0
  }

  /** Sends a request; `landed` is called once, never before this returns, when its answer is whole or it failed. `headers` is flat and may be reused after that. */
  send(target: Target, headers: string[], body: Buffer, now: number): void {
    this.#begin(target, now)
    const options = this.#options
    options.origin = target.origin
    options.path = target.path
    options.method = target.method
    options.headers = headers
    options.body = body
    this.#isDispatching = true
    this.#connect(target).dispatch(options, this.#listener as unknown as Dispatcher.DispatchHandler)
    this.#isDispatching = false
  }

  /** Ends a request that has taken longer than its target allows, or whose answer is a flood. */
  expire(now: number): void {
    if (!this.busy || this.#isHeld) return
    if (now - this.sentAt > this.#target.requestTimeoutMs) this.abort('TIMEOUT')
    else if (this.#isFlooded()) this.fail(new FloodError(`more than ${FLOOD_BYTES_MAX} bytes came for one answer`))
  }

  #isFlooded(): boolean {
    const bytes = this.#socket?.bytesRead ?? 0
    if (this.#seen === this.#requests) return bytes - this.#readBytes > FLOOD_BYTES_MAX
    this.#seen = this.#requests
    this.#readBytes = bytes
    return false
  }

  /** Ends the request on its way, if there is one; it lands with status 0 and this cut. Its connection is not used again. */
  abort(cut: Cut): void {
    if (!this.busy) return
    this.cut = cut
    this.status = 0
    this.#drop()
    this.land()
  }

  close(): void {
    this.#drop()
  }

  #connect(target: Target): Client {
    if (this.#client !== undefined && this.#clientOf === target) return this.#client
    this.#drop()
    const client = new Client(target.origin, {
      pipelining: 1,
      connect: (asked, callback) =>
        target.connect(asked, (...result) => {
          if (this.#client === client) this.#socket = result[1] ?? undefined
          callback(...result)
        }),
      // The flight's owner sweeps for requests that take too long: no timer per request.
      headersTimeout: 0,
      bodyTimeout: 0,
      keepAliveTimeout: KEEP_ALIVE_MS,
    })
    this.#client = client
    this.#clientOf = target
    return client
  }

  #drop(): void {
    const client = this.#client
    this.#client = undefined
    this.#socket = undefined
    this.#listener.flight = undefined
    this.#listener = new Listener(this)
    client?.destroy().catch(() => {})
  }

  /** undici is about to write the request. A process that was frozen finds its connections made, and its lease over. */
  writing(controller: Controller): void {
    // With a connection at hand it is written at once: whoever sends has just asked.
    if (this.#isDispatching || this.#mayWrite()) return
    this.cut = 'ABORTED'
    controller.abort(new Error('withdrawn before it was written'))
  }

  interim(): void {
    this.#interims++
    if (this.#interims > INTERIM_MAX) this.fail(new FloodError(`more than ${INTERIM_MAX} interim answers came before the answer`))
  }

  answering(status: number, headers: readonly Buffer[]): void {
    this.status = status
    this.responseHeaders = headers
  }

  reading(chunk: Buffer): void {
    const room = this.#target.responseBodyBytesMax - this.responseBytes
    this.responseBytes += chunk.length
    if (room > 0) {
      const part = chunk.length > room ? chunk.subarray(0, room) : chunk
      this.responseBody = this.responseBody.length === 0 ? part : Buffer.concat([this.responseBody, part])
    }
    if (this.responseBytes > READ_BYTES_MAX) {
      this.#drop()
      this.land()
    }
  }

  /** Lands later: undici is still telling every request of this Client of the error, and must not be given a new one meanwhile. */
  fail(error: unknown): void {
    if (!isWhole(this.status, error)) {
      this.status = 0
      this.error = error
    }
    this.#drop()
    const request = this.#requests
    setImmediate(() => {
      if (request === this.#requests) this.land()
    })
  }

  land(): void {
    if (!this.busy) return
    this.busy = false
    this.endedAt = performance.now()
    this.#landed(this)
  }
}

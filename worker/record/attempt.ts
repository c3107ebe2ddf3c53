/** What one attempt's row says. One object per request slot, filled again for each attempt: the log copies at once and keeps nothing of it. */
export interface Attempt {
  offset: number
  round: number
  /** 1 for the first request of the round; 0 when the record was never sent. */
  attempt: number
  /** Numbers of the contract's Trigger, Outcome and Reason. */
  trigger: number
  outcome: number
  reason: number
  retryBatch: string
  requestId: number
  /** Place in the request, when it carries several records. */
  item: number
  status: number
  /** Unix ms when the request was sent. */
  sentMs: number
  latencyUs: number
  /** Unix ms. */
  recordMs: number
  key: Buffer | null
  keyHash: number
  /** Flat: name, value, name, value; what is secret is replaced already. */
  requestHeaders: readonly string[]
  requestBody: Buffer
  /** As undici gives them: name, value, name, value. */
  responseHeaders: readonly Buffer[]
  /** The beginning of the answer. */
  responseBody: Buffer
  /** How long the answer was, as far as it was read. */
  responseBytes: number
  error: string
  /** The record's own bytes when they are to be kept; empty otherwise. */
  packed: Buffer
}

/** What is the same for all rows of a lane. */
export interface LaneColumns {
  readonly uid: string
  readonly namespace: string
  readonly useCase: string
  readonly revision: number
  readonly cluster: string
  readonly topic: string
  readonly partition: number
  readonly epoch: number
  readonly worker: string
  readonly method: string
  readonly url: string
  readonly successRetentionS: number
  readonly failureRetentionS: number
  readonly logBody: 'ALL' | 'FAILURES' | 'NONE'
  readonly requestBodyBytesMax: number
}

/** Told when a row is durable: with the slot of the window, or with -1 and what was given instead. */
export interface RowOwner<E> {
  acknowledged(slot: number, entry: E | undefined): void
}

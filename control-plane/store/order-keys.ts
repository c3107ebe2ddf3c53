/** Where orders of operators of one kind (retry batches, replays) are in Redis: in the control plane's slot, so that one script may change several, and the audit with them. */
export interface OrderKeys {
  /** Hash: id -> the order as JSON. */
  readonly orders: string
  /** Set: ids of those that the leader has work with. */
  readonly active: string
  /** Hash: `{uid} {request id}` -> id of what it made. */
  readonly requests: string
  /** Sorted set: all ids by creation, Unix ms. */
  readonly order: string
  /** The same of one use case. */
  readonly orderOf: (useCase: string) => string
}

/** `tag` is another one in tests only, so that they share a Redis. */
export function orderKeys(kind: 'retry-batches' | 'replays', tag = 'control'): OrderKeys {
  const prefix = `ferry:{${tag}}:${kind}`
  return {
    orders: prefix,
    active: `${prefix}:active`,
    requests: `${prefix}:requests`,
    order: `${prefix}:order`,
    orderOf: (useCase) => `${prefix}:order:${useCase}`,
  }
}

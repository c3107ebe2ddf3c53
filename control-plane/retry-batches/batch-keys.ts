/** Where retry batches are in Redis: in the control plane's slot, so that one script may change several, and the audit with them. */
export interface BatchKeys {
  /** Hash: id -> the batch as JSON. */
  readonly batches: string
  /** Set: ids of batches that the leader has work with. */
  readonly active: string
  /** Hash: `{uid} {request id}` -> id of the batch that it made. */
  readonly requests: string
  /** Sorted set: all ids by creation, Unix ms. */
  readonly order: string
  /** The same of one use case. */
  readonly orderOf: (useCase: string) => string
}

/** `tag` is another one in tests only, so that they share a Redis. */
export function batchKeys(tag = 'control'): BatchKeys {
  const prefix = `ferry:{${tag}}:retry-batches`
  return {
    batches: prefix,
    active: `${prefix}:active`,
    requests: `${prefix}:requests`,
    order: `${prefix}:order`,
    orderOf: (useCase) => `${prefix}:order:${useCase}`,
  }
}

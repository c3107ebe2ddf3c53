/** The control plane's own keys. The braces put all of them into one hash slot, so that one script may change several. */
export interface ControlKeys {
  /** Hash: name -> the definition as JSON of the contract's UseCase. */
  readonly useCases: string
  /** Hash: uid -> name. */
  readonly uids: string
  /** Hash: SHA-256 in hexadecimal -> serialized FileDescriptorSet. */
  readonly descriptorSets: string
  /** Hash: `last` change id given, `drained` up to this id, `frozen` last id of the batch that is on its way, `term` of its leader. */
  readonly changes: string
  /** Stream: changes that ClickHouse does not have yet; an entry's id is `{change id}-0`. */
  readonly outbox: string
  /** Hash: id of a token -> the token as JSON, with the hash of its secret. */
  readonly tokens: string
  /** Hash: id of a token -> when it was last used, Unix ms, to within minutes. */
  readonly tokenUses: string
  /** String: 32 random bytes in base64 that replicas sign with when one hands a call to another. */
  readonly handOverKey: string
  /** String with TTL: who applies ClickHouse migrations now. */
  readonly migration: string
}

/** `tag` is another one in tests only, so that they share a Redis. */
export function controlKeys(tag = 'control'): ControlKeys {
  const prefix = `ferry:{${tag}}:`
  return {
    useCases: `${prefix}use-cases`,
    uids: `${prefix}uids`,
    descriptorSets: `${prefix}descriptor-sets`,
    changes: `${prefix}changes`,
    outbox: `${prefix}outbox`,
    tokens: `${prefix}tokens`,
    tokenUses: `${prefix}token-uses`,
    handOverKey: `${prefix}hand-over-key`,
    migration: `${prefix}migration`,
  }
}

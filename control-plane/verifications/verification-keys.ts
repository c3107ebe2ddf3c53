/** Where verifications are in Redis: in the control plane's slot, so that one script may change several. */
export interface VerificationKeys {
  /** The verification as JSON. It expires. */
  readonly record: (id: string) => string
  /** Set: ids of those that have not ended. */
  readonly open: string
  /** Sorted set: ids of one use case by creation, Unix ms. */
  readonly orderOf: (useCase: string) => string
  /** Id of the verification that a request has made. It expires. */
  readonly request: (uid: string, requestId: string) => string
}

/** `tag` is another one in tests only, so that they share a Redis. */
export function verificationKeys(tag = 'control'): VerificationKeys {
  const prefix = `ferry:{${tag}}:verifications`
  return {
    record: (id) => `${prefix}:record:${id}`,
    open: `${prefix}:open`,
    orderOf: (useCase) => `${prefix}:order:${useCase}`,
    request: (uid, requestId) => `${prefix}:request:${uid} ${requestId}`,
  }
}

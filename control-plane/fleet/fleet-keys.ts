/** The fleet's own keys, in the control plane's hash slot: what a leader writes there is compared with its term in the same script. */
export interface FleetKeys {
  /** Hash with TTL: `replica`, `address`, `term` of who leads. */
  readonly leader: string
  /** The highest term that was ever given. */
  readonly term: string
  /** Hash: lane -> `{epoch} {instance}` of its last assignment, written before the worker is told. */
  readonly grants: string
}

/** `tag` is another one in tests only, so that they share a Redis. */
export function fleetKeys(tag = 'control'): FleetKeys {
  const prefix = `ferry:{${tag}}:`
  return { leader: `${prefix}leader`, term: `${prefix}term`, grants: `${prefix}grants` }
}

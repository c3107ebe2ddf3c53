import type { Payload } from '../records.ts'

/** What the load test gives to a peer's process, as JSON in its one argument. */
export interface PeerOptions {
  readonly url: string
  readonly payload: Payload
  /** Requests that this process may have on the way. */
  readonly inFlight: number
}

export interface LimitOptions extends PeerOptions {
  readonly records: number
  /** One connection pool for all, or a client with one connection for each request slot. */
  readonly connections: 'pool' | 'clients'
}

export interface ConsumerOptions extends PeerOptions {
  readonly brokers: readonly string[]
  readonly topic: string
  readonly group: string
}

export function readPeerOptions<O extends PeerOptions>(): O {
  const text = process.argv[2]
  if (text === undefined) throw new Error('this program is started by the load test, with its options as JSON: npm run loadtest')
  return JSON.parse(text) as O
}

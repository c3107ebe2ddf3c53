import type { GrpcLimits } from './grpc-listener.ts'
import type { HttpLimits } from './http-listener.ts'

export type ServeLimits = GrpcLimits &
  HttpLimits & {
    /** No unary call runs longer, whatever deadline its caller gave. */
    readonly callTimeoutMs: number
    /** Calls of one service at once; more are refused. */
    readonly callsPerServiceMax: number
    /** Unary calls that take longer are logged although they succeed. */
    readonly slowCallMs: number
    /** How often a health watcher's status is looked at again. */
    readonly healthPollMs: number
    /** So long before a stop's deadline the calls that are left are answered UNAVAILABLE; then their connections are cut. */
    readonly cutGraceMs: number
  }

export const defaultServeLimits: ServeLimits = {
  // A complete heartbeat of 100,000 lanes, or a page of use cases with descriptor sets of 1 MiB.
  requestBytesMax: 16 * 1024 * 1024,
  responseBytesMax: 16 * 1024 * 1024,
  headerBytesMax: 16 * 1024,
  // Both sides ping, so a connection that is half open is known within 15 s.
  keepaliveTimeMs: 10_000,
  keepaliveTimeoutMs: 5000,
  callsPerConnectionMax: 1000,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 30_000,
  // Above the 60 s that load balancers keep a connection, so that they close it first and never send into a closed one.
  idleTimeoutMs: 65_000,
  connectionsMax: 2000,
  callTimeoutMs: 120_000,
  callsPerServiceMax: 1000,
  slowCallMs: 1000,
  healthPollMs: 500,
  cutGraceMs: 200,
}

import { Cluster } from 'ioredis'
import type { ClusterAddress } from './redis-address.ts'

type SendCommand = Cluster['sendCommand']

const slotsIntervalMs = 5000

/** A cluster whose commands end in time also where the client waits for the cluster's map, or goes on from node to node. */
class DeadlineCluster extends Cluster {
  readonly #commandTimeoutMs: number

  constructor({ nodes, username, password, isSecure }: ClusterAddress, commandTimeoutMs: number) {
    super([...nodes], {
      clusterRetryStrategy: (times) => Math.min(50 * times, 500),
      // As on a single server: what was sent and not answered is not sent again behind the caller's back.
      retryDelayOnFailover: 0,
      retryDelayOnClusterDown: 0,
      slotsRefreshTimeout: commandTimeoutMs,
      slotsRefreshInterval: slotsIntervalMs,
      redisOptions: {
        ...(username !== undefined && { username }),
        ...(password !== undefined && { password }),
        ...(isSecure && { tls: {} }),
        connectTimeout: commandTimeoutMs,
        maxRetriesPerRequest: null,
        autoResendUnfulfilledCommands: false,
      },
    })
    this.#commandTimeoutMs = commandTimeoutMs
  }

  override sendCommand(...[command, stream, node]: Parameters<SendCommand>): ReturnType<SendCommand> {
    command.setTimeout(this.#commandTimeoutMs)
    return super.sendCommand(command, stream, node)
  }
}

export const openCluster = (address: ClusterAddress, commandTimeoutMs: number): Cluster =>
  new DeadlineCluster(address, commandTimeoutMs)

import { createHash } from 'node:crypto'
import { type Cluster, Redis as Server } from 'ioredis'
import type { Logger } from './log.ts'
import { readClusterAddress } from './redis-address.ts'
import { openCluster } from './redis-cluster.ts'

/** A single server or a cluster: every command and every script of Ferry names keys of one hash slot only. */
export type Redis = Server | Cluster

/** Opens a connection that comes back by itself. A command fails after commandTimeoutMs, also while there is no connection. */
export function connectRedis(url: string, commandTimeoutMs: number, log: Logger): Redis {
  const address = readClusterAddress(url)
  const redis = address === undefined ? openServer(url, commandTimeoutMs) : openCluster(address, commandTimeoutMs)
  let failing = false
  const failed = (error: Error, node?: string): void => {
    if (!failing) log.warn({ error: error.message, node }, 'redis: connection failed, trying again')
    failing = true
  }
  redis.on('error', failed)
  redis.on('node error', failed)
  redis.on('ready', () => {
    failing = false
  })
  return redis
}

function openServer(url: string, commandTimeoutMs: number): Server {
  const server = new Server(url, {
    commandTimeout: commandTimeoutMs,
    connectTimeout: commandTimeoutMs,
    maxRetriesPerRequest: null,
    retryStrategy: (times) => Math.min(50 * times, 500),
    // A script that was sent and not answered must not be sent again behind the caller's back: the caller decides.
    autoResendUnfulfilledCommands: false,
  })
  // So it must hear at once that no answer will come. The client would let it wait for its timeout: as long as a lease, perhaps.
  server.on('close', () => {
    const { commandQueue } = server
    for (let item = commandQueue.shift(); item !== undefined; item = commandQueue.shift())
      item.command.reject(new Error('the connection to Redis was closed before the answer'))
  })
  return server
}

const isCluster = (redis: Redis): redis is Cluster => redis.isCluster

/** Called when who answers may be another than before, or may have lost writes: at each connection, and when a cluster's node is gone. */
export function onReconnected(redis: Redis, reconnected: () => void): void {
  redis.on('ready', reconnected)
  if (!isCluster(redis)) return
  redis.on('+node', (node: Server) => node.on('ready', reconnected))
  redis.on('-node', reconnected)
}

/** The servers that take writes. */
export const serversOf = (redis: Redis): readonly Server[] => (isCluster(redis) ? redis.nodes('master') : [redis])

/**
 * Throws while there is no connection. A command that waits for one is sent when it comes, long after its caller has given up, and
 * those of a long outage add up: who tries again by himself asks this first.
 */
export function requireConnection(redis: Redis): void {
  if (redis.status !== 'ready') throw new Error('there is no connection to Redis')
}

/** Answers commands on keys of any slots, in order: in one round trip on a single server, each on its own way on a cluster. */
export async function runMany(
  redis: Redis,
  commands: readonly (readonly [name: string, ...args: string[]])[],
): Promise<unknown[]> {
  if (isCluster(redis)) return Promise.all(commands.map(([name, ...args]) => redis.call(name, ...args)))
  const answers = (await redis.pipeline(commands.map((each) => [...each])).exec()) ?? []
  return answers.map(([error, value]) => {
    if (error !== null) throw error
    return value
  })
}

/** A Lua script that is sent by its hash, and whole where the server does not know it. All keys must be of one hash slot. */
export function defineScript(
  source: string,
): (redis: Redis, keys: readonly string[], args: readonly (string | number | Buffer)[]) => Promise<unknown> {
  const sha = createHash('sha1').update(source).digest('hex')
  return async (redis, keys, args) => {
    try {
      return await redis.callBuffer('evalsha', sha, keys.length, ...keys, ...args)
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error
    }
    return redis.callBuffer('eval', source, keys.length, ...keys, ...args)
  }
}

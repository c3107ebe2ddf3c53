import type { Redis } from '../redis.ts'
import { Calls } from './calls.ts'
import type { Metrics } from './metrics.ts'

type Sending = (command: { readonly promise: Promise<unknown> }, ...more: unknown[]) => unknown

/** Counts every command of a connection, those in pipelines and transactions included. */
export function meterRedis(redis: Redis): Calls {
  const calls = new Calls()
  const metered = redis as unknown as { sendCommand: Sending }
  const send = metered.sendCommand.bind(redis)
  metered.sendCommand = (command, ...more) => {
    const startedMs = performance.now()
    command.promise.then(
      () => calls.ended(startedMs, true),
      () => calls.ended(startedMs, false),
    )
    return send(command, ...more)
  }
  return calls
}

export const registerRedis = (metrics: Metrics, read: () => Calls): void =>
  metrics.calls('ferry_redis_command', 'Redis commands', {}, () => [[{}, read()]])

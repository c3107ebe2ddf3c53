import { randomBytes } from 'node:crypto'
import { pino } from 'pino'
import { connectRedis, type Redis } from '../../runtime/redis.ts'
import { type ControlKeys, controlKeys } from './control-keys.ts'
import { DescriptorSets } from './descriptor-sets.ts'
import { Records } from './records.ts'

/** A control plane's Redis state for one test, beside others on the same Redis. */
export interface SampleControl {
  readonly redis: Redis
  readonly keys: ControlKeys
  readonly records: Records
  readonly descriptorSets: DescriptorSets
  /** Records of another replica on the same state. */
  replica(): Records
  close(): Promise<void>
}

export const silentLog = pino({ level: 'silent' })

export interface SampleLimits {
  readonly useCasesMax?: number
  readonly useCasesPerNamespaceMax?: number
  readonly descriptorSetsMax?: number
  readonly outboxEntriesMax?: number
  readonly preparedTimeoutMs?: number
}

export function openSampleControl(redisUrl: string, limits: SampleLimits = {}): SampleControl {
  const redis = connectRedis(redisUrl, 5000, silentLog)
  const keys = controlKeys(`control-${randomBytes(6).toString('hex')}`)
  const replica = (): Records =>
    new Records({
      redis,
      keys,
      useCasesMax: 1000,
      useCasesPerNamespaceMax: 1000,
      outboxEntriesMax: 1000,
      preparedTimeoutMs: 5000,
      ...limits,
    })
  return {
    redis,
    keys,
    records: replica(),
    descriptorSets: new DescriptorSets(redis, keys, limits.descriptorSetsMax ?? 100),
    replica,
    async close() {
      await redis.del(...Object.values(keys))
      redis.disconnect()
    },
  }
}

/** What a leader does once it knows that the audit is empty. */
export async function prepare({ redis, keys }: SampleControl): Promise<void> {
  await redis.hset(keys.changes, { last: 0, drained: 0 })
}

import { defaultCluster } from '../runtime/kafka-settings.ts'
import type { Logger } from '../runtime/log.ts'
import type { Redis } from '../runtime/redis.ts'
import type { ControlPlaneConfig } from './config.ts'
import type { TopicSource } from './fleet/topic-source.ts'
import type { Spool } from './spool/spool.ts'
import { StartSteps } from './start-steps.ts'
import type { ControlKeys } from './store/control-keys.ts'
import { migrate } from './store/migrate.ts'
import { migrationLock } from './store/migration-lock.ts'

interface StartParts {
  readonly redis: Redis
  readonly source: TopicSource
  readonly spool: Spool
  readonly keys: ControlKeys
  readonly onMigrated: (names: readonly string[]) => void
}

/** Tried until it has worked once: only then is this process ready. */
export function openStartSteps(config: ControlPlaneConfig, parts: StartParts, log: Logger): StartSteps {
  const { redis, source, spool, keys, onMigrated } = parts
  const withLock = migrationLock({ redis, keys, ttlMs: 30_000, waitTimeoutMs: 60_000 })
  const { clickhouseUrl, clickhouseDatabase: database, migrationTimeoutMs: statementTimeoutMs } = config
  return new StartSteps(
    [
      { name: 'Redis answers', run: async () => void (await redis.ping()) },
      { name: 'Kafka answers', run: () => source.ping(defaultCluster) },
      { name: 'the spool has its topic in Kafka', run: () => spool.ensure() },
      {
        name: 'the tables in ClickHouse are those of this release',
        run: async () => onMigrated(await migrate({ clickhouseUrl, database, statementTimeoutMs, log, withLock })),
      },
    ],
    log,
  )
}

// `npm run restore`: compares every use case in Redis with the audit in ClickHouse, and puts back what Redis has lost.
import { connectClickHouse } from '../runtime/clickhouse.ts'
import { ConfigError } from '../runtime/config.ts'
import { createLog } from '../runtime/log.ts'
import { connectRedis } from '../runtime/redis.ts'
import { readControlPlaneConfig } from './config.ts'
import { AuditLog } from './store/audit-log.ts'
import { controlKeys } from './store/control-keys.ts'
import { restoreAll } from './store/restore-all.ts'

async function run(): Promise<void> {
  const config = readControlPlaneConfig(process.env)
  const log = createLog('control-plane', config.logLevel)
  const redis = connectRedis(config.redisUrl, config.redisTimeoutMs, log)
  const clickhouse = connectClickHouse(config.clickhouseUrl, config.clickhouseDatabase, config.clickhouseTimeoutMs)
  try {
    const auditLog = new AuditLog(clickhouse, config.clickhouseTimeoutMs)
    const names = await restoreAll({ redis, keys: controlKeys(), auditLog, log })
    for (const name of names) console.log(name)
    console.log(`${names.length} use cases were not as the audit has them, and are now`)
  } finally {
    redis.disconnect()
    await clickhouse.close()
  }
}

await run().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error))
  process.exitCode = error instanceof ConfigError ? 2 : 1
})

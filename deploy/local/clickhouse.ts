import { randomUUID } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { EngineOptions } from './clickhouse-engine.ts'
import type { PartSpec } from './part.ts'

const queryMsMax = 2_000

/** Limits for one machine that runs everything else too. What has no line here has the engine's default. */
const settings: Record<string, number> = {
  max_server_memory_usage: 3 * 2 ** 30,
  mark_cache_size: 64 * 2 ** 20,
  index_mark_cache_size: 16 * 2 ** 20,
  primary_index_cache_size: 64 * 2 ** 20,
  uncompressed_cache_size: 0,
  compiled_expression_cache_size: 16 * 2 ** 20,
  background_pool_size: 4,
  max_thread_pool_size: 500,
}

/**
 * ClickHouse's engine, from a package, in a process of its own with its own HTTP listener: see clickhouse-engine.ts. `usersFile`: users as
 * ClickHouse's users.xml has them; without one there is one user that may do everything.
 */
export function clickhouseSpec(dataDir: string, port: number, usersFile?: string): Omit<PartSpec, 'onDeath'> {
  const dir = join(dataDir, 'clickhouse')
  mkdirSync(dir, { recursive: true })
  const configFile = join(dataDir, 'clickhouse.xml')
  // Another server may answer on the port when ours cannot have it. Only ours knows this word.
  const marker = randomUUID()
  const lines = Object.entries(settings).map(([name, value]) => `  <${name}>${value}</${name}>\n`)
  if (usersFile !== undefined) lines.push(`  <users_config>${usersFile}</users_config>\n`)
  writeFileSync(
    configFile,
    `<clickhouse>\n${lines.join('')}  <macros><ferry_marker>${marker}</ferry_marker></macros>\n</clickhouse>\n`,
  )
  const options: EngineOptions = { dir, port, configFile }
  return {
    name: 'clickhouse',
    port,
    command: process.execPath,
    args: [join(import.meta.dirname, 'clickhouse-engine.ts'), JSON.stringify(options)],
    logFile: join(dataDir, 'clickhouse.log'),
    isReady: async () => (await query(port, "SELECT getMacro('ferry_marker')")) === marker,
  }
}

async function query(port: number, sql: string): Promise<string | undefined> {
  try {
    const signal = AbortSignal.timeout(queryMsMax)
    const answer = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', body: sql, signal })
    return (await answer.text()).trim()
  } catch {
    return undefined
  }
}

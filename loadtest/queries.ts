// `npm run querytest`: how long the lists and sums of the API take over very many attempts. Rows are made inside of ClickHouse; the calls
// are those that the control plane makes, without its listeners.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { pino } from 'pino'
import { laneOf, type Subject } from '../control-plane/attempts/subject.ts'
import { migrate } from '../control-plane/store/migrate.ts'
import { startStack } from '../deploy/local/stack.ts'
import { connectClickHouse } from '../runtime/clickhouse.ts'
import { laneKeys } from '../runtime/lane-keys.ts'
import { connectRedis } from '../runtime/redis.ts'
import { cpuOf, waitQuiet } from './machine.ts'
import { queryCalls } from './query-calls.ts'
import { insertQueryRows, type QueryRows, rowPartitions } from './query-rows.ts'
import { totalMs } from './statistics.ts'

const usage = 'npm run querytest -- [--rows 10000000] [--runs 5]\n'
const secondMs = 1000
const monthMs = 30 * 86_400_000
const statementMsMax = 600_000

function readNumbers(): { rows: number; runs: number } {
  const { values } = parseArgs({
    options: { rows: { type: 'string', default: '10000000' }, runs: { type: 'string', default: '5' } },
  })
  const [rows, runs] = [Number(values.rows), Number(values.runs)]
  if (!Number.isSafeInteger(rows) || rows < 1000 || !Number.isSafeInteger(runs) || runs < 1) {
    process.stderr.write(usage)
    process.exit(2)
  }
  return { rows, runs }
}

async function main(): Promise<number> {
  const { rows, runs } = readNumbers()
  const say = (line: string): void => void process.stdout.write(`${line}\n`)
  const parent = join(import.meta.dirname, '../.local/data')
  mkdirSync(parent, { recursive: true })
  const dataDir = mkdtempSync(join(parent, 'querytest-'))
  const stack = await startStack({ dataDir, redis: true, clickhouse: true })
  const log = pino({ level: 'silent' })
  const clickhouse = connectClickHouse(stack.clickhouseUrl, 'ferry', statementMsMax)
  const redis = connectRedis(stack.redisUrl, 5000, log)
  try {
    await migrate({
      clickhouseUrl: stack.clickhouseUrl,
      database: 'ferry',
      statementTimeoutMs: 60_000,
      log,
      withLock: (work) => work(),
    })
    const data: QueryRows = { rows, uid: 'querytest', startMs: Date.now() - monthMs, spanMs: monthMs }
    const name = 'namespaces/shop/useCases/orders'
    const subject: Subject = { name, uid: data.uid, cluster: 'default', topic: 'orders', keyOrder: false }
    await insertQueryRows(clickhouse, data, (done) => process.stderr.write(`\r${done} of ${rows} rows`))
    process.stderr.write('\n')
    // Merges of what was inserted are not for the calls to pay.
    await waitQuiet([stack.clickhouse.pid])
    for (let partition = 0; partition < rowPartitions; partition++)
      await redis.hset(laneKeys(laneOf(subject, partition)).lane, { epoch: 1, cursor: Math.ceil(rows / rowPartitions) })
    say(
      `${rows} attempts of one use case and one month; load of the machine before: ${loadavg()
        .map((each) => each.toFixed(1))
        .join(' ')}`,
    )
    say('| call | answered | first, ms | median, ms | CPU of ClickHouse, ms |\n|---|---|---|---|---|')
    let slow = 0
    const pids = [stack.clickhouse.pid]
    for (const { name: call, run, prepare } of queryCalls(clickhouse, redis, subject, data)) {
      await prepare?.()
      const times: number[] = []
      const before = totalMs(cpuOf(pids))
      let answered = 0
      for (let turn = 0; turn <= runs; turn++) {
        const startMs = performance.now()
        answered = await run()
        times.push(performance.now() - startMs)
      }
      const cpuMs = (totalMs(cpuOf(pids)) - before) / times.length
      const [first, ...others] = times
      const median = others.sort((a, b) => a - b)[Math.floor(others.length / 2)]!
      if (median > secondMs) slow++
      say(`| ${call} | ${answered} | ${first!.toFixed(0)} | ${median.toFixed(0)} | ${cpuMs.toFixed(0)} |`)
    }
    say(
      `load of the machine after: ${loadavg()
        .map((each) => each.toFixed(1))
        .join(' ')}`,
    )
    say(slow === 0 ? 'every call took less than a second' : `${slow} calls took more than a second`)
    return slow === 0 ? 0 : 1
  } finally {
    await clickhouse.close()
    redis.disconnect()
    await stack.stop()
    rmSync(dataDir, { recursive: true, force: true })
  }
}

process.exitCode = await main()

// `npm run loadtest`: what a delivered record costs, by Ferry and by what else there is.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { constants } from 'node:os'
import { join, relative } from 'node:path'
import { ConnectError } from '@connectrpc/connect'
import { Screen } from '../deploy/local/demo/screen.ts'
import { StackError } from '../deploy/local/stack-error.ts'
import { ConfigError, readConfig } from '../runtime/config.ts'
import { type LoadTestArguments, parseArguments, usage } from './arguments.ts'
import { batchLines, missingOfBatches, runBatches } from './batch-run.ts'
import { loadTestConfig } from './load-test-config.ts'
import { LoadTestError } from './load-test-error.ts'
import { type GivenAddresses, startParts } from './load-test-parts.ts'
import { profileFerry } from './profile-run.ts'
import { missingOf, reportJson, reportLines } from './report.ts'
import { runRounds } from './rounds.ts'

const exitCodes = { ok: 0, failed: 1, badArguments: 2 } as const
const parentDir = join(import.meta.dirname, '../.local/data')

function readArguments(): LoadTestArguments {
  try {
    const given = parseArguments(process.argv.slice(2))
    if (given !== undefined) return given
    process.stdout.write(usage)
    process.exit(exitCodes.ok)
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${usage}`)
    process.exit(exitCodes.badArguments)
  }
}

function readAddresses(): GivenAddresses & { readonly noColor: string } {
  try {
    return readConfig(loadTestConfig, process.env)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exit(exitCodes.badArguments)
  }
}

/** Progress goes to standard error, results to standard output. */
async function runLoadTest(
  { json, keepData, profile, ...settings }: LoadTestArguments,
  dataDir: string,
  given: GivenAddresses,
  screen: Screen,
  closing: AsyncDisposableStack,
): Promise<number> {
  const parts = await startParts(dataDir, keepData, given, screen, closing)
  const { records, payload, workers, inFlight, ordering, rounds, batch } = settings
  const load = { records, payload, topic: parts.uniqueName('orders'), workers, inFlight, ordering, batch }
  await screen.step(`${records} records in Kafka`, async () => {
    await parts.topics.create(load.topic)
    await parts.topics.fill(load.topic, payload, records)
  })
  if (batch > 0) {
    const results = await runBatches(parts, load, rounds, screen)
    process.stdout.write(`\n${batchLines(load, results).join('\n')}\n`)
    if (profile) process.stdout.write(`\n${(await profileFerry(parts, load, screen)).join('\n')}\n`)
    if (json) process.stdout.write(`${JSON.stringify({ settings, rounds: results })}\n`)
    return missingOfBatches(results) === 0 ? exitCodes.ok : exitCodes.failed
  }
  const results = await runRounds(parts, load, rounds, screen)
  process.stdout.write(`\n${reportLines(settings, results).join('\n')}\n`)
  if (profile) process.stdout.write(`\n${(await profileFerry(parts, load, screen)).join('\n')}\n`)
  if (json) process.stdout.write(`${JSON.stringify(reportJson(settings, results))}\n`)
  return missingOf(results) === 0 ? exitCodes.ok : exitCodes.failed
}

/** Errors that a machine can have carry a message that is enough; any other is a fault of the load test's and comes with its stack. */
function wordsOf(error: unknown): string {
  if (error instanceof LoadTestError || error instanceof StackError) return error.message
  if (error instanceof ConnectError) return `a call to the control plane failed: ${error.message}`
  return error instanceof Error ? String(error.stack) : String(error)
}

/** Resolves at the first signal that asks for the end. A second one does not wait: what was started dies with this process. */
function firstSignal(): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>()
  let count = 0
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (++count > 1) process.exit(exitCodes.failed)
      resolve(128 + constants.signals[signal])
    })
  }
  return promise
}

async function main(): Promise<void> {
  const args = readArguments()
  const { noColor, ...given } = readAddresses()
  // kafkajs asks for timers of a negative time, and Node warns of each.
  process.removeAllListeners('warning')
  mkdirSync(parentDir, { recursive: true })
  const dataDir = mkdtempSync(join(parentDir, 'loadtest-'))
  const screen = new Screen(process.stderr, noColor === '')
  const closing = new AsyncDisposableStack()
  const interrupted = firstSignal()
  const run = runLoadTest(args, dataDir, given, screen, closing).catch((error: unknown) => {
    if (!closing.disposed) process.stderr.write(`${wordsOf(error)}\n`)
    return exitCodes.failed
  })
  const code = await Promise.race([run, interrupted])
  await screen.step('everything is stopped', () => closing.disposeAsync())
  const keepData = args.keepData || code === exitCodes.failed
  if (keepData) screen.line(`data and logs: ${relative(process.cwd(), dataDir)}`)
  else rmSync(dataDir, { recursive: true, force: true })
  process.exit(code)
}

await main()

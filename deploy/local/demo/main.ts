// `npm run demo`: moves a public table from an old service to a new one, with faults on the way, and prints the certificate.
import { rmSync } from 'node:fs'
import { constants } from 'node:os'
import { relative } from 'node:path'
import { ConnectError } from '@connectrpc/connect'
import { ConfigError, readConfig } from '../../../runtime/config.ts'
import { StackError } from '../stack-error.ts'
import { certificateJson, problemsOf } from './certificate.ts'
import { certificateBox } from './certificate-box.ts'
import { makeDataDir } from './data-dir.ts'
import { type DemoArguments, parseArguments, usage } from './demo-arguments.ts'
import { demoConfig } from './demo-config.ts'
import { DemoError } from './demo-error.ts'
import { DemoParts, type GivenAddresses } from './demo-parts.ts'
import { readyLines } from './ready-lines.ts'
import { type DemoResult, runDemo } from './run-demo.ts'
import { Screen } from './screen.ts'

const exitCodes = { holds: 0, doesNotHold: 1, badArguments: 2 } as const

interface Ending {
  readonly code: number
  readonly keepData: boolean
}

function readArguments(): DemoArguments {
  try {
    const given = parseArguments(process.argv.slice(2))
    if (given !== undefined) return given
    process.stdout.write(usage)
    process.exit(exitCodes.holds)
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n\n${usage}`)
    process.exit(exitCodes.badArguments)
  }
}

function readAddresses(): GivenAddresses & { readonly noColor: string } {
  try {
    return readConfig(demoConfig, process.env)
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    process.stderr.write(`${error.message}\n`)
    process.exit(exitCodes.badArguments)
  }
}

/** Runs the demo and shows what came of it. The data of a run that failed stays, for whoever wants to know why. */
async function demonstrate(args: DemoArguments, parts: DemoParts, screen: Screen): Promise<Ending> {
  try {
    const death = Promise.withResolvers<never>()
    const demo = runDemo(parts, args.rows, screen, (message) => death.reject(new DemoError(message)))
    const result = await Promise.race([demo, death.promise])
    showResult(result, args, parts, screen)
    const holds = problemsOf(result.findings).length === 0
    return { code: holds ? exitCodes.holds : exitCodes.doesNotHold, keepData: args.keep || !holds }
  } catch (error) {
    // Stopped from outside, half-way: of course something broke.
    if (parts.isStopping) return { code: exitCodes.doesNotHold, keepData: args.keep }
    const words = wordsOf(error)
    screen.endProgress()
    for (const line of words.split('\n')) screen.line(screen.paint.red(line))
    screen.line()
    if (args.json) process.stdout.write(`${JSON.stringify({ ok: false, problems: [words] })}\n`)
    return { code: exitCodes.doesNotHold, keepData: true }
  }
}

function showResult(result: DemoResult, args: DemoArguments, parts: DemoParts, screen: Screen): void {
  for (const line of certificateBox(result.findings, screen.paint)) screen.line(line)
  screen.line()
  if (args.json) process.stdout.write(`${JSON.stringify(certificateJson(result.findings))}\n`)
  if (!args.keep) return
  screen.line('Everything still runs. Ctrl-C ends it; the data stays. To look around:')
  screen.line()
  screen.verbatim(readyLines(result, parts.database))
  screen.line()
}

/** Errors that a machine can have carry a message that is enough; any other is a fault of the demo's and comes with its stack. */
function wordsOf(error: unknown): string {
  if (error instanceof DemoError || error instanceof StackError) return error.message
  if (error instanceof ConnectError) return `a call to the control plane failed: ${error.message}`
  return error instanceof Error ? String(error.stack) : String(error)
}

/** Resolves at the first signal that asks for the end. A second one does not wait: what was started dies with this process. */
function firstSignal(): Promise<NodeJS.Signals> {
  const { promise, resolve } = Promise.withResolvers<NodeJS.Signals>()
  let count = 0
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
    process.on(signal, () => {
      if (++count > 1) process.exit(exitCodes.doesNotHold)
      resolve(signal)
    })
  }
  return promise
}

async function main(): Promise<void> {
  const args = readArguments()
  const { noColor, ...addresses } = readAddresses()
  // Node and kafkajs warn of themselves; this screen is for what the demo has to say.
  process.removeAllListeners('warning')
  const screen = new Screen(args.json ? process.stderr : process.stdout, noColor === '')
  const parts = new DemoParts(makeDataDir(), addresses)
  const interrupted = firstSignal().then((signal): Ending => ({ code: 128 + constants.signals[signal], keepData: args.keep }))
  const ending = await Promise.race([demonstrate(args, parts, screen), interrupted])
  if (args.keep && ending.code < 128) await interrupted
  screen.endProgress()
  await screen.step('everything is stopped', () => parts.stop())
  if (ending.keepData) screen.line(`  data and logs: ${relative(process.cwd(), parts.dataDir)}`)
  else rmSync(parts.dataDir, { recursive: true, force: true })
  process.exit(ending.code)
}

await main()

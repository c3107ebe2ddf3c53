// `npm run chaos`: every scenario of the failure matrix against real processes, one after the other, and a table of what the judge
// has counted. The last line on standard output is the count of scenarios.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { runCommand, signalCommands } from '../run-command.ts'
import { drawVerdicts, runMutations } from './mutate.ts'
import { runLine, writeReport } from './report.ts'
import { handOn, type RunKind } from './request.ts'
import { resultFile, resultsIn } from './results-in.ts'
import { drawTable } from './table.ts'

const usage = `usage: npm run chaos -- [options]
  --only TEXT     scenarios whose name contains it
  --rest          the named scenarios that have failed in the last run, or were not run; the table is of both runs
  --seed N        the moments and choices of a run, so that it can be repeated (default: by the clock)
  --random        mixes faults and changes at random, in rounds of a minute and a half each, instead of the named scenarios
  --soak          no faults, but endpoints that change: every order, batches, rate limits, filters and dead letters side by side
  --minutes N     so long, with --random and --soak (default: 10)
  --mutations     switches safeguards off, one at a time in a copy of the sources: a scenario must notice each (--only: of safeguards)
  --json FILE     writes the results there, too
  --report        puts the table into docs/reliability.md`

const reportPath = 'docs/reliability.md'

const resultDir = resolve(import.meta.dirname, '../../.local/chaos')
const runMsMax = 4 * 3_600_000

process.chdir(resolve(import.meta.dirname, '../..'))
for (const name of Object.keys(process.env)) if (name.startsWith('FERRY_')) delete process.env[name]
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => signalCommands(signal))

const { only, seed, json, kind, minutes, isMutations, isReport, isAgain } = readArguments()
const passedBefore = isAgain ? keepPassed() : []
if (!isAgain) rmSync(resultDir, { recursive: true, force: true })
const startedMs = performance.now()
const took = (): number => (performance.now() - startedMs) / 60_000
if (isMutations) {
  const verdicts = await runMutations(process.cwd(), resultDir, only, seed)
  const unnoticed = verdicts.filter(({ problems }) => problems.length === 0).length
  if (isReport) writeReport(reportPath, 'mutations', `${runLine(seed, took())}\n\n${drawVerdicts(verdicts)}`)
  console.log(`${verdicts.length - unnoticed} passed, ${unnoticed} failed`)
  process.exit(unnoticed === 0 ? 0 : 1)
}
Object.assign(process.env, handOn({ seed, resultDir, only, except: passedBefore, kind, minutes }))
const { exitCode } = await runCommand('vitest', ['run', '--project', 'end-to-end', 'test/chaos/chaos.test.ts'], runMsMax, true)
const tookMinutes = Number(took().toFixed(1))
const results = resultsIn(resultDir)
for (const { scenario, problems } of results) for (const problem of problems) console.log(`${scenario}: ${problem}`)
console.log(`\n${drawTable(results)}\n\nseed ${seed}, ${tookMinutes} minutes`)
if (json !== undefined) {
  mkdirSync(dirname(resolve(json)), { recursive: true })
  writeFileSync(json, `${JSON.stringify({ seed, minutes: tookMinutes, results }, undefined, 2)}\n`)
}
if (isReport) {
  const inAllMinutes = isAgain ? results.reduce((sum, { seconds }) => sum + seconds, 0) / 60 : tookMinutes
  const again = isAgain ? ` In two runs: the second was of the last ${results.length - passedBefore.length}.` : ''
  const section = kind === 'named' ? 'scenarios' : kind
  writeReport(reportPath, section, `${runLine(seed, inAllMinutes)}${again}\n\n${drawTable(results)}`)
}
const passed = results.filter(({ problems }) => problems.length === 0).length
// A scenario that broke off has left no result, or one without a problem: vitest knows.
const failed = Math.max(results.length - passed, exitCode === 0 ? 0 : 1)
process.exitCode = failed > 0 ? 1 : 0
console.log(`${passed} passed, ${failed} failed`)

function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        ...{ only: { type: 'string' }, seed: { type: 'string' }, json: { type: 'string' }, help: { type: 'boolean' } },
        ...{
          random: { type: 'boolean' },
          soak: { type: 'boolean' },
          minutes: { type: 'string' },
          mutations: { type: 'boolean' },
        },
        ...{ report: { type: 'boolean' }, rest: { type: 'boolean' } },
      },
    } as const)
    if (values.help) {
      console.log(usage)
      process.exit(0)
    }
    if (values.random && values.soak) throw new Error('--random and --soak are two runs')
    const kind: RunKind = values.random ? 'random' : values.soak ? 'soak' : 'named'
    if (values.minutes !== undefined && kind === 'named') throw new Error('--minutes is for --random and --soak')
    const isAgain = values.rest === true
    if (isAgain && (kind !== 'named' || values.mutations || values.only !== undefined))
      throw new Error('--rest goes on with a run of named scenarios')
    const minutes = kind === 'named' ? 0 : wholeNumber('--minutes', values.minutes ?? '10')
    const seed = wholeNumber('--seed', values.seed ?? String(Date.now() % 1_000_000))
    const { only = '', json, mutations: isMutations = false, report: isReport = false } = values
    return { only, seed, json, kind, minutes, isMutations, isReport, isAgain }
  } catch (error) {
    console.error(`${(error as Error).message}\n${usage}`)
    process.exit(2)
  }
}

/** Names of those that have passed; the results of the others are gone then. */
function keepPassed(): readonly string[] {
  const before = resultsIn(resultDir)
  for (const { scenario, problems } of before) if (problems.length > 0) rmSync(resultFile(resultDir, scenario))
  return before.filter(({ problems }) => problems.length === 0).map(({ scenario }) => scenario)
}

function wholeNumber(option: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Error(`${option} must be a whole number, not ${text}`)
  return Number(text)
}

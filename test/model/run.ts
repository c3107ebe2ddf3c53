// `npm run model`: explores every scenario, and prints how much of it was seen; with --mutations each safeguard switched off, with
// --random so many scenarios that nobody has thought of.
// The last line on standard output is the count.
import { parseArgs } from 'node:util'
import { Random } from '../chaos/random.ts'
import type { Bounds } from './bounds.ts'
import { explore, type Verdict } from './explore.ts'
import { LaneSystem } from './lane-system.ts'
import { mutations } from './mutations.ts'
import { describe, randomBounds } from './random-bounds.ts'
import { safeguards, without } from './safeguards.ts'
import { scenarios } from './scenarios.ts'

const usage = `usage: npm run model -- [options]
  --seconds N    for each (default 30)
  --only TEXT    those whose name contains it
  --mutations    each safeguard off, in place of the scenarios
  --random N     so many drawn scenarios, in place of the listed ones
  --seed N       draws the same ones again
  --trace        the steps to what is found, also for mutations`

const statesMax = 20_000_000

const { seconds, only, ...flags } = readArguments()
const limits = { statesMax, timeMsMax: seconds * 1000 }
let passed = 0
let failed = 0

if (flags.mutations) exploreMutations()
else if (flags.random !== undefined) exploreDrawn(Number(flags.random), Number(flags.seed))
else exploreScenarios()
process.exitCode = failed > 0 ? 1 : 0
console.log(`${passed} passed, ${failed} failed`)

function exploreScenarios(): void {
  for (const [name, bounds] of Object.entries(scenarios)) {
    if (name.includes(only)) exploreOne(name, bounds)
  }
}

function exploreDrawn(count: number, seed: number): void {
  console.log(`seed ${seed}`)
  const random = new Random(seed)
  for (let left = count; left > 0; left--) {
    const bounds = randomBounds(random)
    exploreOne(describe(bounds), bounds)
  }
}

function exploreOne(name: string, bounds: Bounds): void {
  const verdict = explore(new LaneSystem(bounds, safeguards), limits)
  const how = verdict.violation !== '' ? 'VIOLATED' : verdict.isComplete ? 'complete' : 'bounded'
  console.log(`| ${name} | ${how} | ${sizeOf(verdict)} |`)
  if (verdict.violation === '') passed++
  else failed++
  if (verdict.violation !== '') tell(verdict)
}

function exploreMutations(): void {
  for (const { name, off, in: bounds, finds } of mutations) {
    if (!name.includes(only)) continue
    const verdict = explore(new LaneSystem(bounds, without(...off)), limits)
    const found = verdict.violation === '' ? (verdict.isComplete ? 'nothing' : 'nothing so far') : verdict.violation
    const isExpected = verdict.violation.startsWith(finds ?? '-') || (finds === undefined && verdict.violation === '')
    console.log(
      `| ${name} | ${found} | ${verdict.trace.length} steps | ${sizeOf(verdict)} |${isExpected ? '' : ' NOT AS LISTED'}`,
    )
    if (isExpected) passed++
    else failed++
    if (flags.trace) tell(verdict)
  }
}

function sizeOf({ states, depth, tookMs }: Verdict): string {
  return `${states} | ${depth} | ${(tookMs / 1000).toFixed(1)} s`
}

function tell({ violation, trace }: Verdict): void {
  console.log(violation)
  for (const [at, step] of trace.entries()) console.log(`  ${at + 1}. ${step}`)
}

function readArguments() {
  try {
    const { values } = parseArgs({
      options: {
        ...{ seconds: { type: 'string', default: '30' }, only: { type: 'string', default: '' } },
        ...{ random: { type: 'string' }, seed: { type: 'string', default: `${Date.now() % 1_000_000}` } },
        ...{ mutations: { type: 'boolean' }, trace: { type: 'boolean' }, help: { type: 'boolean' } },
      },
    })
    if (values.help) {
      console.log(usage)
      process.exit(0)
    }
    for (const [name, value] of Object.entries({ random: values.random ?? '1', seed: values.seed }))
      if (!Number.isSafeInteger(Number(value)) || Number(value) < 0)
        throw new Error(`--${name} must be a whole number from 0, not ${value}`)
    const given = Number(values.seconds)
    if (!(given > 0)) throw new Error(`--seconds must be a number above 0, not ${values.seconds}`)
    return { ...values, seconds: given }
  } catch (error) {
    console.error(`${(error as Error).message}\n${usage}`)
    process.exit(2)
  }
}

// `npm test`: checks, then unit tests, then end-to-end tests. With arguments only vitest, with those: `npm test -- test/kill.test.ts`.
// `--checks` runs only the checks. The last line on standard output is the count of it all.
import { resolve } from 'node:path'
import { runChecks } from './checks.ts'
import { signalCommands } from './run-command.ts'
import { runVitest } from './run-vitest.ts'

process.chdir(resolve(import.meta.dirname, '..'))

// Tests break what they run on: they use parts of their own, never those that someone's environment names.
for (const name of Object.keys(process.env)) if (name.startsWith('FERRY_')) delete process.env[name]

let interrupted = false
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, () => {
    interrupted = true
    signalCommands(signal)
  })
}

const args = process.argv.slice(2)
const isWhole = args.length === 0
const results = []
if (isWhole || args[0] === '--checks') results.push(await runChecks())
if (args[0] !== '--checks' && !interrupted) {
  results.push(await runVitest(isWhole ? ['--allowOnly=false'] : args))
}

const passed = results.reduce((sum, each) => sum + each.passed, 0)
const failedTests = results.reduce((sum, each) => sum + each.failed, 0)
const failed = interrupted ? Math.max(failedTests, 1) : failedTests
process.exitCode = failed > 0 ? 1 : 0
console.log(`${passed} passed, ${failed} failed`)

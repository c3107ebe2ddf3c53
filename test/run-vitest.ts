import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { type Counts, countResults } from './count-results.ts'
import { runCommand } from './run-command.ts'

const reportFile = '.local/test/vitest.json'
const runMsMax = 3_600_000

/** Runs vitest, which shows its progress itself, and counts by its report rather than by what it prints. */
export async function runVitest(args: readonly string[]): Promise<Counts> {
  mkdirSync('.local/test', { recursive: true })
  // The report of an earlier run must not speak for one that crashed.
  rmSync(reportFile, { force: true })
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${reportFile}`]
  const { exitCode } = await runCommand('vitest', ['run', ...reporters, ...args], runMsMax, true)
  return countResults(readReport(), exitCode)
}

function readReport() {
  try {
    return JSON.parse(readFileSync(reportFile, 'utf8'))
  } catch {
    return undefined
  }
}

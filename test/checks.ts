import { runCommand } from './run-command.ts'

/** What must hold before a test is worth running. Each counts as one test. */
const checks: readonly { readonly name: string; readonly command: string }[] = [
  { name: 'the protos that the contract imports are there', command: 'bash proto/third-party.sh' },
  { name: 'types', command: 'tsc' },
  { name: 'types of the command line', command: 'tsc -p cli' },
  { name: 'format and lint', command: 'biome ci --colors=off' },
  { name: 'nothing unused', command: 'knip --no-progress' },
  { name: 'contract: lint', command: 'buf lint' },
  { name: 'contract: no breaking change', command: 'buf breaking proto --exclude-imports --against proto/baseline.binpb' },
  { name: 'contract: generated code is what it generates', command: 'bash proto/generate.sh --check' },
]

const checkMsMax = 300_000

/** Runs one check after the other, shows each with its time, and what it printed when it failed. Answers how many failed. */
export async function runChecks(): Promise<{ passed: number; failed: number }> {
  let failed = 0
  for (const { name, command } of checks) {
    const [program, ...args] = command.split(' ')
    const { exitCode, output, tookMs } = await runCommand(program!, args, checkMsMax, false)
    console.log(` ${exitCode === 0 ? '✓' : '×'} ${name} ${(tookMs / 1000).toFixed(1)} s`)
    if (exitCode === 0) continue
    failed++
    console.log(`   ${command} (exit code ${exitCode})\n${output.trimEnd().replaceAll(/^/gm, '   ')}`)
  }
  return { passed: checks.length - failed, failed }
}

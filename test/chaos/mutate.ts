import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { runCommand } from '../run-command.ts'
import { type Mutation, mutations } from './mutations.ts'
import { handOn } from './request.ts'
import { resultsIn } from './results-in.ts'

const runMsMax = 600_000
const listMsMax = 30_000
/** What the set-up has installed; the copy uses it as it is. */
const installed = ['node_modules', '.local/kafka', '.local/bin', '.local/third_party']

export interface Verdict {
  readonly mutation: Mutation
  /** What the judge had to say; empty: the safeguard is off and nobody has noticed. */
  readonly problems: readonly string[]
}

/** Runs for each mutation its scenario against a copy of the sources in which the safeguard is off. */
export async function runMutations(root: string, workDir: string, only: string, seed: number): Promise<readonly Verdict[]> {
  const verdicts: Verdict[] = []
  for (const mutation of mutations.filter((each) => each.safeguard.includes(only))) {
    const copy = join(workDir, 'mutant')
    await copySources(root, copy)
    const file = join(copy, mutation.file)
    writeFileSync(file, mutate(readFileSync(file, 'utf8'), mutation))
    verdicts.push({ mutation, problems: await runScenario(copy, mutation.scenario, seed) })
    const { problems } = verdicts.at(-1)!
    console.log(`${problems.length > 0 ? 'noticed    ' : 'NOT NOTICED'}  ${mutation.safeguard}`)
    console.log(`             by: ${mutation.scenario}`)
    for (const problem of problems.slice(0, 2)) console.log(`             ${problem.slice(0, 200).replaceAll('\n', ' ')}`)
  }
  return verdicts
}

/** As a Markdown table: the safeguard that was off, the scenario, and the first thing that it had to say. */
export function drawVerdicts(verdicts: readonly Verdict[]): string {
  const rows = verdicts.map(({ mutation: { safeguard, scenario }, problems }) => {
    const said =
      problems[0] === undefined
        ? 'NOT NOTICED'
        : problems[0]
            .split(/\n|; from /)[0]!
            .slice(0, 120)
            .replaceAll('|', '\\|')
    return `| ${safeguard} | ${scenario} | ${said} |`
  })
  return ['| safeguard that is off | scenario | what it says |', '|---|---|---|', ...rows].join('\n')
}

/** The file's text without the safeguard. Throws when the place is not there, or more than once. */
export function mutate(text: string, { safeguard, file, find, replace }: Mutation): string {
  const places = text.split(find).length - 1
  if (places !== 1) throw new Error(`${file} has ${places} places for the mutation "${safeguard}": ${find}`)
  return text.replace(find, () => replace)
}

async function copySources(root: string, copy: string): Promise<void> {
  rmSync(copy, { recursive: true, force: true })
  const { output } = await runCommand('git', ['-C', root, 'ls-files', '-z'], listMsMax, false)
  for (const file of output.split('\0').filter((each) => each !== '')) {
    mkdirSync(dirname(join(copy, file)), { recursive: true })
    cpSync(join(root, file), join(copy, file))
  }
  mkdirSync(join(copy, '.local'))
  for (const each of installed) symlinkSync(join(root, each), join(copy, each))
}

async function runScenario(copy: string, scenario: string, seed: number): Promise<readonly string[]> {
  const resultDir = join(copy, '.local/chaos')
  Object.assign(process.env, handOn({ seed, resultDir, names: [scenario], kind: 'named', minutes: 0 }))
  const args = ['run', '--root', copy, '--project', 'end-to-end', 'test/chaos/chaos.test.ts']
  await runCommand('vitest', args, runMsMax, false)
  const [result] = resultsIn(resultDir)
  if (result === undefined) throw new Error(`there is no scenario "${scenario}", or it left no result`)
  return result.problems
}

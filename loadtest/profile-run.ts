import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Screen } from '../deploy/local/demo/screen.ts'
import { runFerry } from './ferry-run.ts'
import type { Load } from './load.ts'
import { LoadTestError } from './load-test-error.ts'
import type { LoadTestParts } from './load-test-parts.ts'
import { type CpuProfile, type Share, summarizeProfile } from './profile.ts'

const functionsMax = 40
const shareMin = 0.003

/** Ferry once more under V8's sampler. Not among the figures: being watched costs. Answers a text for people. */
export async function profileFerry(parts: LoadTestParts, load: Load, screen: Screen): Promise<string[]> {
  const profileDir = join(parts.dataDir, 'profile')
  mkdirSync(profileDir)
  await screen.step('Ferry with a CPU profile', () => runFerry(parts, load, { paced: false, profileDir }))
  const file = readdirSync(profileDir).find((name) => name.endsWith('.cpuprofile'))
  if (file === undefined) throw new LoadTestError(`the worker left no CPU profile in ${profileDir}`)
  const { origins, functions } = summarizeProfile(JSON.parse(readFileSync(join(profileDir, file), 'utf8')) as CpuProfile)
  return [
    "Where a worker's busy time goes, by origin:",
    ...origins.filter(({ share }) => share >= shareMin).map(shareLine),
    'By function:',
    ...functions.slice(0, functionsMax).map(shareLine),
  ]
}

const shareLine = ({ name, share }: Share): string => `${(share * 100).toFixed(1).padStart(6)} %  ${name}`

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Result } from './result.ts'

/** Where a scenario leaves its result. */
export const resultFile = (resultDir: string, scenario: string): string =>
  join(resultDir, `${scenario.replaceAll(/\W+/g, '-')}.json`)

/** What the scenarios of a run have left, in the order in which they ended. */
export function resultsIn(resultDir: string): Result[] {
  try {
    return readdirSync(resultDir)
      .map((file) => JSON.parse(readFileSync(join(resultDir, file), 'utf8')) as Result)
      .sort((a, b) => a.endedMs - b.endedMs)
  } catch {
    return []
  }
}

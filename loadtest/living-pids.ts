import type { LocalProcess } from '../deploy/local/local-process.ts'
import { LoadTestError } from './load-test-error.ts'

/** Throws when one of them has ended. */
export function livingPids(processes: readonly LocalProcess[]): number[] {
  const dead = processes.find(({ exit }) => exit !== undefined)
  if (dead === undefined) return processes.map(({ pid }) => pid)
  const { code, signal } = dead.exit!
  throw new LoadTestError(`${dead.name} has ended (${signal ?? `exit code ${code}`}) while it was measured; see ${dead.errFile}`)
}

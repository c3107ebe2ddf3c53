import { setTimeout as sleep } from 'node:timers/promises'

const pollMs = 25

/**
 * Asks again and again until the answer is neither false nor undefined, and returns it. Throws after timeoutMs, with `what` and
 * what the last question threw or what `progress` says.
 */
export async function waitUntil<T>(
  what: string,
  timeoutMs: number,
  ask: () => T | Promise<T>,
  progress: () => unknown = () => undefined,
): Promise<Exclude<T, false | undefined>> {
  const deadline = performance.now() + timeoutMs
  let problem: unknown
  for (;;) {
    try {
      const answer = await ask()
      if (answer !== false && answer !== undefined) return answer as Exclude<T, false | undefined>
      problem = progress()
    } catch (error) {
      problem = error
    }
    if (performance.now() > deadline) {
      throw new Error(`not within ${timeoutMs / 1000} s: ${what}${problem === undefined ? '' : ` (${describe(problem)})`}`)
    }
    await sleep(pollMs)
  }
}

const describe = (problem: unknown): string =>
  problem instanceof Error
    ? problem.message
    : JSON.stringify(problem, (_key, value) => (typeof value === 'bigint' ? Number(value) : value))

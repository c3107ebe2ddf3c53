import type { Screen } from '../deploy/local/demo/screen.ts'
import { runFerry } from './ferry-run.ts'
import type { Load } from './load.ts'
import type { LoadTestParts } from './load-test-parts.ts'
import { waitQuiet } from './machine.ts'
import { runConsumer, runLimit } from './peer-run.ts'
import { describeCost } from './report.ts'
import type { LimitVariant, Results, RoundResult } from './results.ts'
import { type Contestant, contestants, cpuUsOf } from './statistics.ts'

const limitInFlight = [16, 32, 64]

/** All rounds, each in another order, each run from a quiet start. */
export async function runRounds(parts: LoadTestParts, load: Load, count: number, screen: Screen): Promise<Results> {
  const limitVariant = await screen.step('which way of using undici is the limit', () => chooseLimit(parts, load))
  const rounds: RoundResult[] = []
  for (let round = 0; round < count; round++) {
    const results: Partial<RoundResult> = {}
    for (let at = 0; at < contestants.length; at++) {
      const contestant = contestants[(at + round) % contestants.length]!
      await waitQuiet(otherPids(parts))
      Object.assign(results, { [contestant]: await runOne(parts, load, contestant, limitVariant, round === count - 1) })
      screen.line(describeCost(contestant, results[contestant]!))
    }
    rounds.push(results as RoundResult)
  }
  return { limitVariant, rounds }
}

function runOne(parts: LoadTestParts, load: Load, contestant: Contestant, limit: LimitVariant, paced: boolean) {
  if (contestant === 'ferry') return runFerry(parts, load, { paced })
  if (contestant === 'limit') return runLimit(parts, load, limit)
  return runConsumer(parts, load, contestant)
}

/** Tries all of them on a third of the load; the cheapest is measured again with the others, so that its luck does not count. */
async function chooseLimit(parts: LoadTestParts, load: Load): Promise<LimitVariant> {
  const variants = (['clients', 'pool'] as const).flatMap((connections) =>
    limitInFlight.map((inFlight): LimitVariant => ({ connections, inFlight: Math.max(inFlight, load.workers) })),
  )
  let best: { readonly variant: LimitVariant; readonly cpuUs: number } | undefined
  for (const variant of variants) {
    const cpuUs = cpuUsOf(await runLimit(parts, { ...load, records: Math.floor(load.records / 3) }, variant))
    if (best === undefined || cpuUs < best.cpuUs) best = { variant, cpuUs }
  }
  return best!.variant
}

const otherPids = ({ processes }: LoadTestParts): number[] =>
  processes.filter(({ pid }) => pid !== process.pid).map(({ pid }) => pid)

import { formatCount } from '../deploy/local/demo/progress-line.ts'
import type { Screen } from '../deploy/local/demo/screen.ts'
import { runFerry } from './ferry-run.ts'
import type { Load } from './load.ts'
import type { LoadTestParts } from './load-test-parts.ts'
import { waitQuiet } from './machine.ts'
import { runLimit } from './peer-run.ts'
import type { PeerResult } from './results.ts'
import { cpuUsOf, median } from './statistics.ts'

const ways = ['batches', 'single', 'limit'] as const
type Way = (typeof ways)[number]
export type BatchRound = Readonly<Record<Way, PeerResult>>

const names: Readonly<Record<Way, string>> = {
  batches: 'Ferry, batches',
  single: 'Ferry, one by one',
  limit: 'the limit, one by one',
}

/** Ferry with batches beside Ferry without and undici alone, each round in another order, each run from a quiet start. */
export async function runBatches(parts: LoadTestParts, load: Load, count: number, screen: Screen): Promise<BatchRound[]> {
  const rounds: BatchRound[] = []
  const others = parts.processes.filter(({ pid }) => pid !== process.pid).map(({ pid }) => pid)
  for (let round = 0; round < count; round++) {
    const results: Partial<Record<Way, PeerResult>> = {}
    for (let at = 0; at < ways.length; at++) {
      const way = ways[(at + round) % ways.length]!
      await waitQuiet(others)
      const result = await runOne(parts, load, way)
      results[way] = result
      screen.line(lineOf(names[way], [result]))
    }
    rounds.push(results as BatchRound)
  }
  return rounds
}

function runOne(parts: LoadTestParts, load: Load, way: Way): Promise<PeerResult> {
  if (way === 'limit') return runLimit(parts, load, { connections: 'clients', inFlight: load.inFlight })
  return runFerry(parts, way === 'batches' ? load : { ...load, batch: 0 }, { paced: false })
}

export const missingOfBatches = (rounds: readonly BatchRound[]): number =>
  Math.max(...rounds.flatMap((round) => ways.map((way) => round[way].missing)))

/** The table for people. Rows per core: what a core that does nothing else would carry. */
export function batchLines({ records, payload, ordering, inFlight, batch }: Load, rounds: readonly BatchRound[]): string[] {
  const ratio = (to: Way): string => median(rounds.map((round) => cpuUsOf(round.batches) / cpuUsOf(round[to]))).toFixed(2)
  return [
    `${formatCount(records)} records (${payload}), at most ${batch} in a batch, ${inFlight} requests in flight, order ${ordering}; medians of ${rounds.length}.`,
    ...ways.map((way) =>
      lineOf(
        names[way],
        rounds.map((round) => round[way]),
      ),
    ),
    `CPU of a record in a batch: ${ratio('single')} x Ferry one by one, ${ratio('limit')} x the limit one by one.`,
  ]
}

function lineOf(name: string, results: readonly PeerResult[]): string {
  const us = median(results.map(cpuUsOf))
  const rate = median(results.map((each) => each.recordsPerSecond))
  const memory = Math.max(...results.map(({ rssMaxMiB }) => rssMaxMiB))
  return `  ${name.padEnd(22)} ${us.toFixed(2).padStart(7)} us CPU a record  ${formatCount(1e6 / us).padStart(9)} rows/s per core  ${formatCount(rate).padStart(9)} seen  RSS ${formatCount(memory)} MiB`
}

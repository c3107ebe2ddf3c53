import { formatCount } from '../deploy/local/demo/progress-line.ts'
import type { LoadTestArguments } from './arguments.ts'
import type { Latencies, Latency } from './attempt-rows.ts'
import { jsonBytes, keys, partitions, rowBytes } from './records.ts'
import type { FerryResult, Results } from './results.ts'
import { type Contestant, contestants, cpuUsOf, type Figures, median, medianFigures, ratiosOf } from './statistics.ts'

type Settings = Omit<LoadTestArguments, 'json' | 'keepData' | 'profile' | 'batch'>

const rounded = (value: number, digits: number): number => Number(value.toFixed(digits))

/** Each run in one line, as soon as it is over. */
export function describeCost(contestant: Contestant, figures: Figures): string {
  const us = cpuUsOf(figures).toFixed(1)
  return `  ${contestant.padEnd(6)} ${formatCount(figures.recordsPerSecond).padStart(8)} records/s  ${us.padStart(6)} us CPU per record`
}

export const missingOf = (results: Results): number =>
  Math.max(...contestants.flatMap((contestant) => results.rounds.map((round) => round[contestant].missing)))

/** The table for people. */
export function reportLines(settings: Settings, results: Results): string[] {
  const { records, payload, ordering, workers, inFlight, rounds } = settings
  const size =
    payload === 'protobuf' ? 'protobuf of 21 fields, sent as JSON' : `${payload === 'json' ? jsonBytes : rowBytes} B JSON`
  const { connections, inFlight: limitInFlight } = results.limitVariant
  const ferry = results.rounds.map((round) => round.ferry)
  return [
    `${formatCount(records)} records, ${size}, ${formatCount(keys)} keys, ${partitions} partitions; Ferry ${ordering === 'key' ? 'in order per key' : 'without order'};`,
    `${workers === 1 ? 'one process' : `${workers} processes`} each, ${inFlight} requests in flight (the limit: ${limitInFlight}, ${connections}).`,
    `Figures from the first third of the records on${rounds > 1 ? `, medians of ${rounds} rounds` : ''}.`,
    '',
    tableRow(['', 'records/s', 'user us', 'system us', 'CPU us', 'RSS MiB', 'missing']),
    ...contestants.map((contestant) => figuresRow(contestant, medianFigures(results.rounds.map((round) => round[contestant])))),
    '',
    ...ratioLines(results),
    '',
    ...latencyLines(ferry.at(-1)!),
    '',
    `CPU beside Ferry, us per record: ${partsText(ferry)}. Everything else on this machine kept ${foreignText(results)} cores busy.`,
  ]
}

function figuresRow(contestant: Contestant, figures: Figures): string {
  return tableRow([
    contestant,
    formatCount(figures.recordsPerSecond),
    figures.cpuUserUsPerRecord.toFixed(1),
    figures.cpuSystemUsPerRecord.toFixed(1),
    cpuUsOf(figures).toFixed(1),
    formatCount(figures.rssMaxMiB),
    formatCount(figures.missing),
  ])
}

const columnWidth = 11
const tableRow = ([name, ...columns]: readonly string[]): string =>
  name!.padEnd(columnWidth - 4) + columns.map((text) => text.padStart(columnWidth)).join('')

function ratioLines(results: Results): string[] {
  const { throughputToLimit, cpuToLimit, cpuToNaive, cpuToTuned } = ratiosOf(results.rounds)
  return [
    `Ferry's CPU per record: ${cpuToLimit.toFixed(2)} x the limit, ${cpuToTuned.toFixed(2)} x tuned, ${cpuToNaive.toFixed(2)} x naive. Its throughput: ${throughputToLimit.toFixed(2)} x the limit.`,
    'Where Kafka, ClickHouse and the endpoint share the cores with what is measured, the CPU ratios are the honest ones.',
  ]
}

const latencyText = ({ p50Ms, p99Ms }: Latency): string => `p50 ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms`

function latencyLines({ paced, saturated }: FerryResult): string[] {
  const line = (what: string, { appendToAnswer, request }: Latencies): string =>
    `From append to answer, ${what}: ${latencyText(appendToAnswer)}; the request alone: ${latencyText(request)}`
  const lines = [line('saturated, so with the wait in the backlog', saturated)]
  if (paced !== undefined)
    lines.unshift(
      line(`${formatCount(paced.recordsPerSecond)} records/s, half of the rate above`, paced.latencies),
      `(everything else kept ${paced.foreignCores.toFixed(2)} cores busy meanwhile)`,
    )
  return lines
}

function partsText(ferry: readonly FerryResult[]): string {
  const names = Object.keys(ferry[0]!.partsUsPerRecord)
  return names.map((name) => `${name} ${median(ferry.map((each) => each.partsUsPerRecord[name]!)).toFixed(1)}`).join(', ')
}

const foreignOf = (results: Results): number[] =>
  results.rounds.flatMap((round) => contestants.map((contestant) => round[contestant].foreignCores))

function foreignText(results: Results): string {
  const cores = foreignOf(results)
  return `${Math.min(...cores).toFixed(2)} to ${Math.max(...cores).toFixed(2)}`
}

/** The object for machines. */
export function reportJson(settings: Settings, results: Results): Record<string, unknown> {
  const { rounds, limitVariant } = results
  const figuresOf = (contestant: Contestant) => toJson(medianFigures(rounds.map((round) => round[contestant])))
  const { saturated, paced } = rounds.at(-1)!.ferry
  return {
    settings,
    ferry: {
      ...figuresOf('ferry'),
      repeated: Math.max(...rounds.map(({ ferry }) => ferry.repeated)),
      ...{ saturated, paced },
    },
    limit: { ...figuresOf('limit'), ...limitVariant },
    naive: figuresOf('naive'),
    tuned: figuresOf('tuned'),
    ratios: Object.fromEntries(Object.entries(ratiosOf(rounds)).map(([name, ratio]) => [name, rounded(ratio, 3)])),
    rounds: rounds.map((round) =>
      Object.fromEntries(
        contestants.map((contestant) => {
          const { foreignCores, partsUsPerRecord } = round[contestant]
          const parts = Object.entries(partsUsPerRecord).map(([name, us]) => [name, rounded(us, 2)])
          const beside = { foreignCores: rounded(foreignCores, 2), partsUsPerRecord: Object.fromEntries(parts) }
          return [contestant, { ...toJson(round[contestant]), ...beside }]
        }),
      ),
    ),
  }
}

const toJson = (figures: Figures): Figures => ({
  recordsPerSecond: Math.round(figures.recordsPerSecond),
  cpuUserUsPerRecord: rounded(figures.cpuUserUsPerRecord, 2),
  cpuSystemUsPerRecord: rounded(figures.cpuSystemUsPerRecord, 2),
  rssMaxMiB: Math.round(figures.rssMaxMiB),
  missing: figures.missing,
})

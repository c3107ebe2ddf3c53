import type { CpuTime } from './proc-files.ts'

/** What is known at one moment of a run. */
export interface Sample {
  readonly timeMs: number
  readonly records: number
  readonly cpu: CpuTime
}

/** Figures of one way of delivering, from its warm-up on. */
export interface Figures {
  readonly recordsPerSecond: number
  readonly cpuUserUsPerRecord: number
  readonly cpuSystemUsPerRecord: number
  readonly rssMaxMiB: number
  readonly missing: number
}

/**
 * Rate from the end of the warm-up to the last answer; CPU to when everything is done, which for a consumer that keeps a log is
 * later than the last answer.
 */
export function ratesOf(warm: Sample, last: Sample, done: Sample): Omit<Figures, 'rssMaxMiB' | 'missing'> {
  const records = last.records - warm.records
  if (records <= 0) throw new Error('no record was delivered after the warm-up')
  return {
    recordsPerSecond: records / ((last.timeMs - warm.timeMs) / 1000),
    cpuUserUsPerRecord: ((done.cpu.userMs - warm.cpu.userMs) * 1000) / records,
    cpuSystemUsPerRecord: ((done.cpu.systemMs - warm.cpu.systemMs) * 1000) / records,
  }
}

export const cpuUsOf = (figures: Figures): number => figures.cpuUserUsPerRecord + figures.cpuSystemUsPerRecord

export function addCpu(times: readonly CpuTime[]): CpuTime {
  return {
    userMs: times.reduce((sum, { userMs }) => sum + userMs, 0),
    systemMs: times.reduce((sum, { systemMs }) => sum + systemMs, 0),
  }
}

export const totalMs = ({ userMs, systemMs }: CpuTime): number => userMs + systemMs

/** The middle one, or the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  if (values.length === 0) throw new Error('there is no median of nothing')
  const sorted = values.toSorted((left, right) => left - right)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

/** Each figure's median over the rounds; of memory and of missing records the worst. */
export function medianFigures(rounds: readonly Figures[]): Figures {
  const of = (pick: (figures: Figures) => number): number => median(rounds.map(pick))
  return {
    recordsPerSecond: of((each) => each.recordsPerSecond),
    cpuUserUsPerRecord: of((each) => each.cpuUserUsPerRecord),
    cpuSystemUsPerRecord: of((each) => each.cpuSystemUsPerRecord),
    rssMaxMiB: Math.max(...rounds.map((each) => each.rssMaxMiB)),
    missing: Math.max(...rounds.map((each) => each.missing)),
  }
}

export const contestants = ['ferry', 'limit', 'tuned', 'naive'] as const
export type Contestant = (typeof contestants)[number]
export type Round = Readonly<Record<Contestant, Figures>>

export interface Ratios {
  readonly throughputToLimit: number
  readonly cpuToLimit: number
  readonly cpuToNaive: number
  readonly cpuToTuned: number
}

/** Ferry against the others of the same round, then the median: what disturbs a round disturbs both sides of its ratios. */
export function ratiosOf(rounds: readonly Round[]): Ratios {
  const cpuTo = (other: Contestant): number => median(rounds.map((round) => cpuUsOf(round.ferry) / cpuUsOf(round[other])))
  return {
    throughputToLimit: median(rounds.map(({ ferry, limit }) => ferry.recordsPerSecond / limit.recordsPerSecond)),
    cpuToLimit: cpuTo('limit'),
    cpuToNaive: cpuTo('naive'),
    cpuToTuned: cpuTo('tuned'),
  }
}

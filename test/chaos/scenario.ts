import { mkdirSync, writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { Ordering } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { Fleet, type FleetOptions, shortLease } from '../harness/fleet.ts'
import { Flow, type FlowOptions } from './flow.ts'
import { Random } from './random.ts'
import { readRequest } from './request.ts'
import type { Counts, Repeats, Result } from './result.ts'
import { resultFile } from './results-in.ts'

export interface ScenarioOptions {
  /** The row of the failure matrix (ARCHITECTURE.md) that it shows. */
  readonly fault: string
  readonly repeats: Repeats
  /** It also runs in `npm test`: at most some twenty seconds. */
  readonly fast?: boolean
  /** Over 2 control planes, 3 workers and short leases. */
  readonly fleet?: FleetOptions
  /** One use case each; without them one UNORDERED and one in KEY order. */
  readonly flows?: readonly FlowOptions[]
  /** From the fault's end to the certificate. */
  readonly settleMsMax?: number
  readonly timeoutMs?: number
  /** Instead of the run's. */
  readonly seed?: number
}

/** What a scenario's fault can take hold of. */
export class Chaos implements AsyncDisposable {
  readonly fleet: Fleet
  readonly random: Random
  readonly flows: Flow[] = []
  /** What was done, for whoever reads that it went wrong. */
  readonly notes: string[] = []
  readonly #kept: AsyncDisposable[] = []

  constructor(fleet: Fleet, random: Random) {
    this.fleet = fleet
    this.random = random
  }

  /** Until every flow has delivered so many more records. */
  readonly delivers = async (more: number): Promise<void> => {
    await Promise.all(this.flows.map((flow) => flow.delivers(more)))
  }

  /** Another use case under load, which is judged with the others. */
  readonly startFlow = async (options: FlowOptions): Promise<Flow> => {
    const flow = await Flow.start(this.fleet, options)
    this.flows.push(flow)
    return flow
  }

  /** What the fault needs until the judge has spoken. */
  readonly keep = <T extends AsyncDisposable>(part: T): T => {
    this.#kept.push(part)
    return part
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const each of [...this.flows, ...this.#kept]) await each[Symbol.asyncDispose]()
  }
}

type Fault = (chaos: Chaos) => Promise<void>

const defaultFlows: readonly FlowOptions[] = [{}, { ordering: Ordering.KEY }]

/** Registers a test: a fleet under load, the fault, and then the judge, whose counts become a row of the table. */
export function scenario(name: string, options: ScenarioOptions, fault: Fault): void {
  const request = readRequest()
  if (request === undefined ? options.fast !== true : !request.asksFor(name)) return
  const seed = options.seed ?? request?.seed ?? 1
  test(name, () => run(name, options, fault, seed, request?.resultDir), options.timeoutMs ?? 240_000)
}

async function run(name: string, options: ScenarioOptions, fault: Fault, seed: number, resultDir?: string): Promise<void> {
  const startedMs = performance.now()
  const counts = await judgeScenario(options, fault, seed).catch((error: Error) => ({ ...nothing, problems: [error.message] }))
  const seconds = Math.round((performance.now() - startedMs) / 100) / 10
  const result: Result = {
    ...{ scenario: name, fault: options.fault, promised: options.repeats, seed, endedMs: Date.now(), seconds },
    ...counts,
  }
  if (resultDir !== undefined) {
    mkdirSync(resultDir, { recursive: true })
    writeFileSync(resultFile(resultDir, name), JSON.stringify(result))
  }
  expect(counts.problems).toEqual([])
}

async function judgeScenario(options: ScenarioOptions, fault: Fault, seed: number): Promise<Counts> {
  const { repeats, settleMsMax = 120_000 } = options
  const fleetOptions = { controlPlanes: 2, workers: 3, ...options.fleet }
  await using fleet = await Fleet.start({ ...fleetOptions, workerEnv: { ...shortLease, ...fleetOptions.workerEnv } })
  await using chaos = new Chaos(fleet, new Random(seed))
  for (const flow of options.flows ?? defaultFlows) await chaos.startFlow(flow)
  await chaos.delivers(chaos.random.int(200, 500))
  try {
    await fault(chaos)
    const judged = await Promise.all(chaos.flows.map((flow) => flow.finish(repeats, settleMsMax)))
    const sum = judged.reduce(add, nothing)
    return sum.problems.length === 0 ? sum : { ...sum, problems: [...sum.problems, ...chaos.notes] }
  } catch (error) {
    throw new Error([(error as Error).message, ...chaos.notes].join('\n'))
  }
}

const nothing: Counts = {
  ...{ records: 0, requests: 0, delivered: 0, failed: 0, skipped: 0, superseded: 0, missing: 0 },
  ...{ repeats: 0, repeatsOfLogged: 0, lostRows: 0, problems: [] },
}

function add(a: Counts, b: Counts): Counts {
  const sums = Object.keys(nothing).map((name) => [
    name,
    (a[name as keyof Counts] as number) + (b[name as keyof Counts] as number),
  ])
  return { ...(Object.fromEntries(sums) as Counts), problems: [...a.problems, ...b.problems] }
}

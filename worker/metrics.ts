import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import { Outcome } from '../proto/gen/ferry/v1/delivery_pb.ts'
import { LaneCondition, LaneState as State } from '../proto/gen/ferry/v1/lane_pb.ts'
import type { HeldLanes } from './holdings.ts'
import type { RateReports } from './rate-reports.ts'
import type { InsertQueue } from './record/insert-queue.ts'
import type { SpoolDrain } from './spool/spool-drain.ts'

export interface WorkerMetrics {
  readonly registry: Registry
  landed(outcome: number): void
  /** A takeover went on without all that the log will have. */
  readonly unlogged: () => void
}

export interface MeteredLog {
  readonly queue: Pick<InsertQueue, 'strippedRows' | 'spooledInserts' | 'isSpooling'>
  readonly drain: Pick<SpoolDrain, 'waitingInserts' | 'drainedInserts'> | undefined
  readonly rates: Pick<RateReports, 'waitedMs'>
}

const outcomes = Object.entries(Outcome).map(([name, number]) => [number, name.toLowerCase()] as const)

/** Labels are bounded: outcomes and lane states, never topics or use cases. */
export function createMetrics(held: () => HeldLanes, log: () => MeteredLog): WorkerMetrics {
  const registry = new Registry()
  collectDefaultMetrics({ register: registry })
  const registers = [registry]
  const counts = new Array<number>(outcomes.length).fill(0)
  // Counted in an array and copied when asked: the hot path pays one increment.
  new Counter({
    name: 'ferry_attempts_total',
    help: 'Attempts that have ended, by outcome',
    labelNames: ['outcome'],
    registers,
    collect() {
      this.reset()
      for (const [number, outcome] of outcomes) if (number !== 0) this.inc({ outcome }, counts[number] ?? 0)
    },
  })
  new Gauge({
    name: 'ferry_lanes',
    help: 'Lanes that this worker holds, by state',
    labelNames: ['state'],
    registers,
    collect() {
      this.reset()
      for (const [name, number] of Object.entries(State)) {
        if (number !== 0)
          this.set({ state: name.toLowerCase() }, held().keepers.filter((keeper) => keeper.state === number).length)
      }
    },
  })
  new Gauge({
    name: 'ferry_lanes_held_back',
    help: 'Lanes that this worker holds and that do not move, by condition; ListLanes says which, and why',
    labelNames: ['condition'],
    registers,
    collect() {
      this.reset()
      const conditions = held().keepers.map((keeper) => held().troubleOf(keeper).condition)
      for (const [name, number] of Object.entries(LaneCondition)) {
        if (number !== LaneCondition.UNSPECIFIED)
          this.set({ condition: name.toLowerCase() }, conditions.filter((each) => each === number).length)
      }
    },
  })
  new Gauge({
    name: 'ferry_parked_deliveries',
    help: 'Deliveries that wait for another attempt',
    registers,
    collect() {
      this.set(held().keepers.reduce((sum, keeper) => sum + (keeper.lane?.parking.size ?? 0), 0))
    },
  })
  registerRequestMetrics(registry, held)
  const takeovers = new Counter({
    name: 'ferry_takeovers_without_log_total',
    help: 'Takeovers that did not wait any longer for the log, or for what it gets from the spool, and may have repeated records',
    registers,
  })
  registerLogMetrics(registry, log)
  return {
    registry,
    landed: (outcome) => {
      counts[outcome]!++
    },
    unlogged: () => takeovers.inc(),
  }
}

function registerRequestMetrics(registry: Registry, held: () => HeldLanes): void {
  new Gauge({
    name: 'ferry_requests_in_flight',
    help: 'Requests on the way to endpoints',
    registers: [registry],
    collect() {
      this.set(held().rosters.reduce((sum, { inFlight }) => sum + inFlight, 0))
    },
  })
  new Gauge({
    name: 'ferry_requests_in_flight_max',
    help: 'Requests that may be on the way now, summed over endpoints: shares of max_in_flight, or what adaptive concurrency has found',
    registers: [registry],
    collect() {
      const endpoints = new Set(held().rosters.map(({ endpoint }) => endpoint))
      this.set([...endpoints].reduce((sum, { limit }) => sum + limit, 0))
    },
  })
}

function registerLogMetrics(registry: Registry, log: () => MeteredLog): void {
  const registers = [registry]
  const total = (name: string, help: string, read: () => number): void => {
    new Counter({
      ...{ name, help, registers },
      collect() {
        this.reset()
        this.inc(read())
      },
    })
  }
  const level = (name: string, help: string, read: () => number): void => {
    new Gauge({
      ...{ name, help, registers },
      collect() {
        this.set(read())
      },
    })
  }
  total(
    'ferry_stripped_rows_total',
    'Attempt rows that were taken only without their headers and bodies',
    () => log().queue.strippedRows,
  )
  total('ferry_spooled_inserts_total', 'Inserts that went into the spool', () => log().queue.spooledInserts)
  total(
    'ferry_spool_drained_inserts_total',
    'Inserts that this worker has brought from the spool into ClickHouse',
    () => log().drain?.drainedInserts ?? 0,
  )
  total(
    'ferry_rate_limited_seconds_total',
    'For how long records have waited for a rate limit, summed over use cases',
    () => log().rates.waitedMs / 1000,
  )
  level('ferry_log_spooling', '1 while attempt rows go into the spool, because ClickHouse is away', () =>
    log().queue.isSpooling ? 1 : 0,
  )
  level(
    'ferry_spool_waiting_inserts',
    'Inserts of all workers in the spool, at the last look',
    () => log().drain?.waitingInserts ?? 0,
  )
}

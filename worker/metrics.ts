import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import { Outcome } from '../proto/gen/ferry/v1/delivery_pb.ts'
import { LaneCondition, LaneState as State } from '../proto/gen/ferry/v1/lane_pb.ts'
import type { HeldLanes } from './holdings.ts'
import type { AttemptLog } from './record/attempt-log.ts'

export interface WorkerMetrics {
  readonly registry: Registry
  landed(outcome: number): void
}

const outcomes = Object.entries(Outcome).map(([name, number]) => [number, name.toLowerCase()] as const)

/** Labels are bounded: outcomes and lane states, never topics or use cases. */
export function createMetrics(held: () => HeldLanes, log: () => Pick<AttemptLog<never>, 'strippedRows'>): WorkerMetrics {
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
  new Counter({
    name: 'ferry_stripped_rows_total',
    help: 'Attempt rows that ClickHouse took only without their headers and bodies',
    registers,
    collect() {
      this.reset()
      this.inc(log().strippedRows)
    },
  })
  return {
    registry,
    landed: (outcome) => {
      counts[outcome]!++
    },
  }
}

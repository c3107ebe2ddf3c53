import { LaneCondition, LaneState as State } from '../../proto/gen/ferry/v1/lane_pb.ts'
import type { Labels, Metrics } from '../../runtime/metrics/metrics.ts'
import { foldLabels, useCaseLabels } from '../../runtime/metrics/use-case-series.ts'
import type { Endpoint } from '../deliver/endpoint.ts'
import type { HeldLanes } from '../holdings.ts'
import type { Lane } from '../lane/lane.ts'
import type { Roster } from '../lane/roster.ts'

export interface LaneParts {
  readonly held: HeldLanes
  readonly labelsOf: (plan: Roster['route']['plan']) => Labels
  readonly windowRecords: number
  readonly intakeRecordsMax: number
  readonly bufferBytesMax: number
  readonly unstoredBytesMax: number
}

const namesOf = (numbers: Readonly<Record<string, number | string>>): (readonly [string, number])[] =>
  Object.entries(numbers).flatMap(([name, number]) =>
    typeof number === 'number' && number !== 0 ? [[name.toLowerCase(), number] as const] : [],
  )
const states = namesOf(State)
const conditions = namesOf(LaneCondition)
const list = (names: readonly (readonly [string, number])[]): string => names.map(([name]) => `\`${name}\``).join(', ')

const countOf = (numbers: readonly number[], number: number): number => numbers.filter((each) => each === number).length
const lanesOf = ({ held }: LaneParts): Lane[] => held.keepers.flatMap(({ lane }) => (lane === undefined ? [] : [lane]))
const sum = (lanes: readonly Lane[], numberOf: (lane: Lane) => number): number =>
  lanes.reduce((total, lane) => total + numberOf(lane), 0)

/** What this worker holds now. */
export function registerLanes(metrics: Metrics, parts: () => LaneParts): void {
  metrics.gauge({ name: 'ferry_lanes', help: 'Lanes that this worker holds, by state', labels: { state: list(states) } }, () => {
    const found = parts().held.keepers.map((keeper) => keeper.state)
    return states.map(([state, number]) => [{ state }, countOf(found, number)] as const)
  })
  metrics.gauge(
    {
      name: 'ferry_lanes_held_back',
      help: 'Lanes that this worker holds and that do not move, by condition; ListLanes says which, and why',
      labels: { condition: list(conditions) },
    },
    () => {
      const { held } = parts()
      const found = held.keepers.map((keeper) => held.troubleOf(keeper).condition)
      return conditions.map(([condition, number]) => [{ condition }, countOf(found, number)] as const)
    },
  )
  registerWaiting(metrics, parts)
  registerRosters(metrics, parts)
  registerMemory(metrics, parts)
}

function registerWaiting(metrics: Metrics, parts: () => LaneParts): void {
  const byUseCase = (numberOf: (lane: Lane) => number, join?: (a: number, b: number) => number) => {
    const { labelsOf } = parts()
    return foldLabels(lanesOf(parts()), (lane) => labelsOf(lane.route.plan), numberOf, join)
  }
  metrics.gauge(
    { name: 'ferry_parked_deliveries', help: 'Deliveries that wait for another attempt', labels: useCaseLabels },
    () => byUseCase(({ parking }) => parking.size),
  )
  metrics.gauge(
    {
      name: 'ferry_blocked_deliveries',
      help: 'Parked deliveries that only an operator sends on: they block their key or their partition',
      labels: useCaseLabels,
    },
    () => byUseCase(({ parking }) => parking.blocked),
  )
  metrics.gauge(
    {
      name: 'ferry_lag_seconds',
      help: 'Age, by its Kafka timestamp, of the oldest record that this worker has fetched and that is neither answered nor parked; 0 when there is none',
      labels: useCaseLabels,
    },
    () => byUseCase((lane) => (lane.oldestMs === undefined ? 0 : Math.max(0, Date.now() - lane.oldestMs) / 1000), Math.max),
  )
}

function registerRosters(metrics: Metrics, parts: () => LaneParts): void {
  const byUseCase = (numberOf: (roster: Roster) => number, join?: (a: number, b: number) => number) => {
    const { held, labelsOf } = parts()
    return foldLabels(held.rosters, ({ route }) => labelsOf(route.plan), numberOf, join)
  }
  metrics.gauge({ name: 'ferry_requests_in_flight', help: 'Requests on the way to endpoints', labels: useCaseLabels }, () =>
    byUseCase(({ inFlight }) => inFlight),
  )
  metrics.gauge(
    {
      name: 'ferry_requests_in_flight_max',
      help: 'Requests that may be on the way now: shares of max_in_flight, or what adaptive concurrency has found; of an endpoint group each use case has its part',
      labels: useCaseLabels,
    },
    () => {
      const sharing = new Map<Endpoint, number>()
      for (const { endpoint } of parts().held.rosters) sharing.set(endpoint, (sharing.get(endpoint) ?? 0) + 1)
      return byUseCase(({ endpoint }) => endpoint.limit / sharing.get(endpoint)!)
    },
  )
  metrics.gauge(
    {
      name: 'ferry_breaker_open',
      help: '1 while the breaker keeps requests back, because the endpoint fails nearly everything; in `other` the number of such use cases',
      labels: useCaseLabels,
    },
    () => byUseCase(({ endpoint: { breaker } }) => (breaker.state === 'CLOSED' ? 0 : 1)),
  )
}

/** Each beside what it may be at most. */
function registerMemory(metrics: Metrics, parts: () => LaneParts): void {
  const pair = (
    name: string,
    help: string,
    now: (lanes: readonly Lane[]) => number,
    max: (lanes: number, of: LaneParts) => number,
  ) => {
    metrics.gauge({ name, help }, () => now(lanesOf(parts())))
    metrics.gauge({ name: `${name}_max`, help: `${help}: how many there may be` }, () => max(lanesOf(parts()).length, parts()))
  }
  pair(
    'ferry_window_records',
    'Records between the cursors of lanes and their newest requests',
    (lanes) => sum(lanes, ({ window }) => window.tracker.size),
    (lanes, { windowRecords }) => lanes * windowRecords,
  )
  pair(
    'ferry_intake_records',
    'Fetched records that wait for a request slot',
    (lanes) => sum(lanes, ({ intake }) => intake.records),
    (lanes, { intakeRecordsMax }) => lanes * intakeRecordsMax,
  )
  pair(
    'ferry_buffer_bytes',
    'Bytes of fetches in memory',
    (lanes) => sum(lanes, ({ bufferedBytes }) => bufferedBytes),
    (_lanes, { bufferBytesMax }) => bufferBytesMax,
  )
  pair(
    'ferry_unstored_bytes',
    'Bytes of parked records that Redis does not have yet',
    (lanes) => sum(lanes, ({ parking }) => parking.unstoredBytes),
    (lanes, { unstoredBytesMax }) => lanes * unstoredBytesMax,
  )
}

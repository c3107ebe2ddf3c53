import type { Metrics } from '../../runtime/metrics/metrics.ts'
import type { Fleet } from '../fleet/fleet.ts'

/** What a leader knows of the fleet; 0 on replicas that do not lead, so that sums over all replicas are right. */
export function registerFleet(metrics: Metrics, fleet: () => Fleet): void {
  metrics.gauge({ name: 'ferry_leader', help: '1 on the replica that leads' }, () => (fleet().lead() === undefined ? 0 : 1))
  metrics.gauge(
    {
      name: 'ferry_workers',
      help: 'Workers that the leader has heard from, by whether they leave',
      labels: { draining: '`true`, `false`' },
    },
    () => {
      const { workers } = fleet().counts()
      return [
        [{ draining: 'false' }, workers.staying],
        [{ draining: 'true' }, workers.draining],
      ]
    },
  )
  metrics.gauge(
    { name: 'ferry_oldest_heartbeat_seconds', help: 'Since the last heartbeat of the worker that is silent for longest' },
    () => fleet().counts().oldestHeartbeatMs / 1000,
  )
  metrics.gauge(
    {
      name: 'ferry_fleet_lanes',
      help: 'Lanes by who holds them, as the leader sees it: a lane that moves is `leaving`, then `granting`, then `given`',
      labels: { holding: '`unknown`, `inherited`, `free`, `granting`, `given`, `leaving`' },
    },
    () => Object.entries(fleet().counts().lanes).map(([holding, count]) => [{ holding: holding.toLowerCase() }, count] as const),
  )
  metrics.gauge(
    { name: 'ferry_fleet_unheld_lanes', help: 'Lanes of active use cases that no worker holds' },
    () => fleet().counts().unheld,
  )
  metrics.gauge(
    { name: 'ferry_fleet_use_cases', help: 'Use cases by state', labels: { state: '`active`, `paused`, `deleting`' } },
    () => Object.entries(fleet().counts().useCases).map(([state, count]) => [{ state: state.toLowerCase() }, count] as const),
  )
  metrics.gauge(
    { name: 'ferry_fleet_unsurveyed_use_cases', help: 'Use cases whose lanes cannot be looked for now; ListLanes says why' },
    () => fleet().counts().unsurveyed,
  )
  metrics.counter(
    { name: 'ferry_lane_grants_total', help: 'Lanes that were given to a worker: the first time, or because they moved' },
    () => fleet().tally.grantedLanes,
  )
  metrics.counter(
    { name: 'ferry_expelled_workers_total', help: 'Workers that were silent until their lease was over, and lost their lanes' },
    () => fleet().tally.expelledWorkers,
  )
  metrics.calls('ferry_survey', "Looks at a use case's topic for its lanes", {}, () => [[{}, fleet().tally.surveys]])
}

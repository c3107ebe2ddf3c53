import { Calls } from '../../runtime/metrics/calls.ts'

/** What this replica has done while it led, since it began. */
export class FleetTally {
  /** Looks at a use case's topic. */
  readonly surveys = new Calls()
  /** Lanes that were given to a worker. */
  grantedLanes = 0
  expelledWorkers = 0
}

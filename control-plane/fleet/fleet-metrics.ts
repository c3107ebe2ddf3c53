import { Gauge, type Registry } from 'prom-client'
import type { Fleet } from './fleet.ts'

/** What a leader knows of the fleet; 0 on replicas that do not lead, so that sums over all replicas are right. */
export function registerFleetMetrics(registry: Registry, fleet: Fleet): void {
  const registers = [registry]
  new Gauge({
    name: 'ferry_leader',
    help: 'Whether this replica leads.',
    registers,
    collect() {
      this.set(fleet.lead() === undefined ? 0 : 1)
    },
  })
  new Gauge({
    name: 'ferry_workers',
    help: 'Workers that the leader has heard from, by whether they leave.',
    labelNames: ['draining'],
    registers,
    collect() {
      const { workers } = fleet.counts()
      this.set({ draining: 'false' }, workers.staying)
      this.set({ draining: 'true' }, workers.draining)
    },
  })
  new Gauge({
    name: 'ferry_fleet_lanes',
    help: 'Lanes by who holds them, as the leader sees it.',
    labelNames: ['holding'],
    registers,
    collect() {
      this.reset()
      for (const [holding, count] of Object.entries(fleet.counts().lanes)) this.set({ holding: holding.toLowerCase() }, count)
    },
  })
}

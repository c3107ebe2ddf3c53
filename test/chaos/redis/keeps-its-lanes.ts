import { waitForLanes } from '../../harness/use-case.ts'
import type { Chaos } from '../scenario.ts'

/** Every lane stays with its owner: nothing was lost, so no checkpoint may have been refused. */
export async function keepsItsLanes({ fleet, flows }: Chaos, fault: () => Promise<void>): Promise<void> {
  const epochs = async () => {
    const lanes = await Promise.all(flows.map(({ useCase, topic }) => waitForLanes(fleet, useCase, topic.partitions)))
    return lanes.flatMap((of) => [...of].sort(([a], [b]) => a - b).map(([, { epoch }]) => epoch))
  }
  const before = await epochs()
  await fault()
  const moved = (await epochs()).filter((epoch, at) => epoch !== before[at]).length
  if (moved > 0) throw new Error(`${moved} of ${before.length} lanes had to be taken anew`)
}

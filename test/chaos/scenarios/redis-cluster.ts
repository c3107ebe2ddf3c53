// On a Redis Cluster: every command and every script names keys of one slot, wherever that slot is.
import type { LaneId } from '../../../proto/gen/ferry/v1/lane_pb.ts'
import { waitForLanes } from '../../harness/use-case.ts'
import { waitUntil } from '../../harness/wait-until.ts'
import { keepsItsLanes } from '../redis/keeps-its-lanes.ts'
import { type Chaos, scenario } from '../scenario.ts'

const fault = 'Redis Cluster'
const fleet = { redisCluster: true } as const
/** Longer than the cluster takes to have another master: workers keep their lanes. */
const longLease = { FERRY_LEASE: '15s', FERRY_INSERT_TIMEOUT: '12s' }

const failoverMsMax = 30_000
const controlKey = 'ferry:{control}:changes'
const keyOf = ({ uid, cluster, topic, partition }: LaneId): string => `ferry:{${uid}/${cluster}/${topic}/${partition}}:lane`

const lanesOf = async ({ fleet: parts, flows }: Chaos): Promise<LaneId[]> => {
  const all = await Promise.all(flows.map(({ useCase, topic }) => waitForLanes(parts, useCase, topic.partitions)))
  return all.flatMap((lanes) => [...lanes.values()].map(({ id }) => id!))
}

scenario('slots of a Redis Cluster move to other masters', { fault, repeats: 'NONE', fleet }, (chaos) =>
  keepsItsLanes(chaos, async () => {
    for (const key of [controlKey, ...(await lanesOf(chaos)).map(keyOf)]) {
      await chaos.fleet.redisCluster.moveSlot(key)
      await chaos.delivers(chaos.random.int(20, 100))
    }
  }),
)

scenario(
  'masters of a Redis Cluster die, and their replicas take over',
  { fault, repeats: 'COUNTED', fleet: { ...fleet, workerEnv: longLease }, timeoutMs: 300_000 },
  async (chaos) => {
    const { fleet: parts, random, delivers } = chaos
    for (const key of [controlKey, keyOf(random.pick(await lanesOf(chaos)))]) {
      const { master } = await parts.redisCluster.ownerOf(key)
      await master.part.kill()
      await waitUntil('another master serves the slot', failoverMsMax, async () => {
        const now = await parts.redisCluster.ownerOf(key)
        return now.master.id !== master.id
      })
      await master.part.start()
      await parts.redisCluster.waitWhole()
      await delivers(300)
    }
  },
)

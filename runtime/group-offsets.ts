import type { Cluster } from './kafka.ts'

export interface GroupOffset {
  readonly partition: number
  readonly offset: number
  readonly metadata: string
}

/** The group coordinator's calls that kafkajs has and its types leave out. */
interface Coordinator {
  offsetCommit(request: {
    groupId: string
    groupGenerationId: number
    memberId: string
    topics: { topic: string; partitions: { partition: number; offset: string; metadata: string }[] }[]
  }): Promise<{ responses: { partitions: { partition: number; errorCode: number }[] }[] }>
  offsetFetch(request: { groupId: string; topics: { topic: string; partitions: { partition: number }[] }[] }): Promise<{
    responses: { partitions: { partition: number; offset: string; metadata: string | null }[] }[]
  }>
}

const coordinatorOf = async (cluster: Cluster, group: string): Promise<Coordinator> =>
  (await (cluster as unknown as { findGroupCoordinator(request: { groupId: string }): Promise<unknown> }).findGroupCoordinator({
    groupId: group,
  })) as Coordinator

const LOADING = /coordinator is loading|COORDINATOR_LOAD_IN_PROGRESS|GROUP_LOAD_IN_PROGRESS/i
const TRIES = 5

/** A coordinator that has just come up loads its groups first: a moment later it answers. */
async function patiently<T>(call: () => Promise<T>): Promise<T> {
  for (let failures = 1; ; failures++) {
    try {
      return await call()
    } catch (error) {
      if (failures === TRIES || !LOADING.test(String(error))) throw error
      await new Promise((resolve) => setTimeout(resolve, 100 * failures))
    }
  }
}

/** Commits for a group without members. Rejects when the group has members, or the coordinator is away. */
export async function commitGroupOffsets(
  cluster: Cluster,
  group: string,
  topic: string,
  offsets: readonly GroupOffset[],
): Promise<void> {
  const coordinator = await coordinatorOf(cluster, group)
  await patiently(() =>
    coordinator.offsetCommit({
      groupId: group,
      groupGenerationId: -1,
      memberId: '',
      topics: [
        {
          topic,
          partitions: offsets.map((each) => ({
            partition: each.partition,
            offset: String(each.offset),
            metadata: each.metadata,
          })),
        },
      ],
    }),
  )
}

/** What the group has committed; partitions without a commit are left out. */
export async function fetchGroupOffsets(
  cluster: Cluster,
  group: string,
  topic: string,
  partitions: readonly number[],
): Promise<GroupOffset[]> {
  const coordinator = await coordinatorOf(cluster, group)
  const topics = [{ topic, partitions: partitions.map((partition) => ({ partition })) }]
  const answer = await patiently(() => coordinator.offsetFetch({ groupId: group, topics }))
  return answer.responses
    .flatMap((each) => each.partitions)
    .filter((each) => Number(each.offset) >= 0)
    .map((each) => ({ partition: each.partition, offset: Number(each.offset), metadata: each.metadata ?? '' }))
}

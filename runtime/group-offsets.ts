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

/** Commits for a group without members. Rejects when the group has members, or the coordinator is away. */
export async function commitGroupOffsets(
  cluster: Cluster,
  group: string,
  topic: string,
  offsets: readonly GroupOffset[],
): Promise<void> {
  const coordinator = await coordinatorOf(cluster, group)
  await coordinator.offsetCommit({
    groupId: group,
    groupGenerationId: -1,
    memberId: '',
    topics: [
      {
        topic,
        partitions: offsets.map((each) => ({ partition: each.partition, offset: String(each.offset), metadata: each.metadata })),
      },
    ],
  })
}

/** What the group has committed; partitions without a commit are left out. */
export async function fetchGroupOffsets(
  cluster: Cluster,
  group: string,
  topic: string,
  partitions: readonly number[],
): Promise<GroupOffset[]> {
  const coordinator = await coordinatorOf(cluster, group)
  const answer = await coordinator.offsetFetch({
    groupId: group,
    topics: [{ topic, partitions: partitions.map((partition) => ({ partition })) }],
  })
  return answer.responses
    .flatMap((each) => each.partitions)
    .filter((each) => Number(each.offset) >= 0)
    .map((each) => ({ partition: each.partition, offset: Number(each.offset), metadata: each.metadata ?? '' }))
}

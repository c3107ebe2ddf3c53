import { setTimeout as sleep } from 'node:timers/promises'
import type { Admin, ITopicConfig } from 'kafkajs'

const pollMs = 25

/**
 * Creates a topic and resolves when each of its partitions has a leader; false when it is there already. kafkajs' own wait fails
 * when the broker that it asks has not heard of the topic yet.
 */
export async function createTopic(admin: Admin, topic: ITopicConfig, timeoutMs = 30_000): Promise<boolean> {
  const deadline = performance.now() + timeoutMs
  if (!(await admin.createTopics({ topics: [topic], waitForLeaders: false, timeout: timeoutMs }))) return false
  const wanted = topic.numPartitions ?? 1
  for (;;) {
    const leaders = await countLeaders(admin, topic.topic).catch((error: Error) => error)
    if (leaders === wanted) return true
    if (performance.now() > deadline)
      throw new Error(`not within ${timeoutMs / 1000} s: ${wanted} leaders of ${topic.topic} (${leaders})`)
    await sleep(pollMs)
  }
}

async function countLeaders(admin: Admin, topic: string): Promise<number> {
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
  return topics[0]!.partitions.filter(({ leader }) => leader >= 0).length
}

import { setTimeout as sleep } from 'node:timers/promises'
import type { Admin, ITopicConfig } from 'kafkajs'

const pollMs = 25

/**
 * Creates a topic and resolves when each of its partitions has a leader; false when it is there already. kafkajs' own wait fails
 * when the broker that it asks has not heard of the topic yet.
 */
export async function createTopic(admin: Admin, topic: ITopicConfig, timeoutMs = 30_000): Promise<boolean> {
  if (!(await admin.createTopics({ topics: [topic], waitForLeaders: false, timeout: timeoutMs }))) return false
  await waitForLeaders(admin, topic.topic, topic.numPartitions ?? 1, timeoutMs)
  return true
}

/** Resolves when so many partitions of a topic have a leader, whether its brokers have heard of it yet or not. */
export async function waitForLeaders(admin: Admin, topic: string, wanted: number, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    const leaders = await countLeaders(admin, topic).catch((error: Error) => error)
    if (leaders === wanted) return
    if (performance.now() > deadline)
      throw new Error(`not within ${timeoutMs / 1000} s: ${wanted} leaders of ${topic} (${leaders})`)
    await sleep(pollMs)
  }
}

async function countLeaders(admin: Admin, topic: string): Promise<number> {
  const { topics } = await admin.fetchTopicMetadata({ topics: [topic] })
  return topics[0]!.partitions.filter(({ leader }) => leader >= 0).length
}

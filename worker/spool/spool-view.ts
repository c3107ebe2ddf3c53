import type { SpoolPartition } from '../../runtime/spool-position.ts'

/** What is in the spool is in no answer of the log yet: whoever asks the log and may not miss a row asks this first. */
export interface SpoolView {
  /** Whether everything that was in the spool when this was called is in the log. Rejects when Kafka does not say. */
  isDrained(): Promise<boolean>
  /** The same, waiting until it is; false when untilMs, of performance.now(), has passed. */
  waitDrained(untilMs: number): Promise<boolean>
}

/** Without a spool the log has everything that is durable. */
export const noSpool: SpoolView = { isDrained: async () => true, waitDrained: async () => true }

const LOOK_MS = 200

/** `ask` as askSpool. Lanes that move together ask together: a question that is under way is shared by nobody, the next one by all. */
export function createSpoolView(ask: () => Promise<readonly SpoolPartition[]>): SpoolView {
  let asking: Promise<unknown> = Promise.resolve()
  let next: Promise<readonly SpoolPartition[]> | undefined
  const positions = (): Promise<readonly SpoolPartition[]> => {
    next ??= asking
      .catch(() => {})
      .then(() => {
        const asked = ask()
        asking = asked
        next = undefined
        return asked
      })
    return next
  }
  const isDrained = async (): Promise<boolean> => (await positions()).every(({ from, end }) => from >= end)
  const waitDrained = async (untilMs: number): Promise<boolean> => {
    const ends = new Map<number, number>()
    for (let isFirst = true; ; ) {
      try {
        const found = await within(positions(), untilMs - performance.now())
        if (isFirst) for (const { partition, end } of found) ends.set(partition, end)
        isFirst = false
        if (found.every(({ partition, from }) => from >= (ends.get(partition) ?? 0))) return true
      } catch {
        // Kafka does not say: it may say a moment later.
      }
      if (performance.now() >= untilMs) return false
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS))
    }
  }
  return { isDrained, waitDrained }
}

/** Asked at least once, also when there is no time. */
function within<T>(work: Promise<T>, ms: number): Promise<T> {
  const deadline = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error('no answer in time')), Math.max(1000, ms)).unref()
  })
  return Promise.race([work, deadline])
}

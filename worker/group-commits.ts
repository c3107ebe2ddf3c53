import { commitGroupOffsets, type GroupOffset } from '../runtime/group-offsets.ts'
import type { Cluster } from '../runtime/kafka.ts'
import type { Logger } from '../runtime/log.ts'
import { groupPosition } from './lane/floor.ts'
import type { Keeper } from './lane/keeper.ts'

/** Kafka's own limit for the metadata of an offset (offset.metadata.max.bytes). */
const METADATA_BYTES_MAX = 4096
/** Kafka forgets the offsets of a group that is silent for a week (offsets.retention.minutes). */
const AGAIN_MS = 86_400_000

interface Committed {
  readonly text: string
  readonly atMs: number
}

/** Mirrors the floors of lanes to their Kafka groups, so that ordinary lag tools tell the truth. */
export class GroupCommits {
  readonly #cluster: Cluster
  readonly #log: Logger
  readonly #committed = new WeakMap<Keeper, Committed>()
  readonly #intervalMs: number
  #nextAt = 0
  /** Commits go one after the other: so many are under way or wait. */
  #open = 0
  #last: Promise<void> = Promise.resolve()
  #failing = false

  constructor(cluster: Cluster, intervalMs: number, log: Logger) {
    this.#cluster = cluster
    this.#intervalMs = intervalMs
    this.#log = log
  }

  /** Whether it is time for the next look at all lanes. Kafka may be away for hours: not while it still owes an answer. */
  isDue(now: number): boolean {
    if (now < this.#nextAt || this.#open > 0) return false
    this.#nextAt = now + this.#intervalMs
    return true
  }

  /** Commits what has changed, and daily what has not. A failure is logged, and tried again next time. */
  add(keepers: readonly Keeper[]): void {
    if (keepers.length === 0) return
    this.#open++
    this.#last = this.#last.then(async () => {
      await this.#commit(keepers, performance.now())
      this.#open--
    })
  }

  /** Resolves when the last one has been answered. */
  async idle(): Promise<void> {
    await this.#last
  }

  async #commit(keepers: readonly Keeper[], nowMs: number): Promise<void> {
    const groups = new Map<
      string,
      { group: string; topic: string; offsets: (GroupOffset & { keeper: Keeper; text: string })[] }
    >()
    for (const keeper of keepers) {
      const { lane } = keeper
      // A position of a topic that is gone must not become another one's.
      if (lane === undefined || keeper.troubles.range !== undefined) continue
      const { floor, metadata } = groupPosition(lane, METADATA_BYTES_MAX)
      const text = `${floor} ${metadata}`
      const before = this.#committed.get(keeper)
      if (before?.text === text && nowMs - before.atMs < AGAIN_MS) continue
      const { group, topic } = lane.route.plan
      const found = groups.get(group) ?? { group, topic, offsets: [] }
      groups.set(group, found)
      found.offsets.push({ partition: keeper.id.partition, offset: floor, metadata, keeper, text })
    }
    for (const { group, topic, offsets } of groups.values()) {
      try {
        await commitGroupOffsets(this.#cluster, group, topic, offsets)
        for (const { keeper, text } of offsets) this.#committed.set(keeper, { text, atMs: nowMs })
        this.#failing = false
      } catch (error) {
        if (!this.#failing)
          this.#log.warn(
            { group, error: String(error) },
            'group commit: Kafka did not take the floors; ordinary lag tools are behind until it does',
          )
        this.#failing = true
      }
    }
  }
}

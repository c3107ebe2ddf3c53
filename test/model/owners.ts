import type { LogKnowledge } from '../../worker/lane/look-up.ts'
import type { TakeoverBase } from '../../worker/lane/takeover.ts'
import { fingerprint } from './lane-fingerprint.ts'
import type { LaneSetting } from './lane-setting.ts'
import { type Effect, type LaneEvent, OwnerLane } from './owner-lane.ts'

/** What others see of an owner's memory. */
export interface OwnerView {
  readonly cursor: number
  readonly flights: readonly {
    readonly offset: number
    readonly round: number
    readonly attempt: number
    readonly isFresh: boolean
  }[]
  readonly rowsOut: number
  /** Offsets that Redis has parked, as far as this owner knows. */
  readonly stored: readonly number[]
  /** What a group commit would say: the floor and the metadata. */
  readonly group: string
  readonly hasTaken: boolean
}

interface Node {
  /** How it came to be: by which event from which one, or by a takeover. */
  readonly from: number
  readonly event: string
  readonly start: number
  readonly view: OwnerView
  readonly steps: Map<string, Step>
}

export interface Step {
  readonly node: number
  readonly effect: Effect
}

interface Start {
  readonly base: TakeoverBase
  readonly knowledge: LogKnowledge | undefined
}

/**
 * Owners' memories as numbers, so that an explorer can have thousands of them. A number stands for everything that decides what the
 * product's lane does next; what an event does to it is found out once, by making such a lane and letting all happen again.
 */
export class Owners {
  readonly #setting: LaneSetting
  readonly #nodes: Node[] = []
  readonly #starts: Start[] = []
  readonly #startKeys = new Map<string, number>()
  readonly #byText = new Map<string, number>()

  constructor(setting: LaneSetting) {
    this.#setting = setting
  }

  get count(): number {
    return this.#nodes.length
  }

  view(node: number): OwnerView {
    return this.#nodes[node]!.view
  }

  /** A takeover. */
  start(base: TakeoverBase, knowledge: LogKnowledge | undefined): number {
    const key = JSON.stringify([base, [...base.parked], knowledge && [[...knowledge.ended], [...knowledge.attempts]]])
    const known = this.#startKeys.get(key)
    if (known !== undefined) return known
    const start = this.#starts.push({ base, knowledge }) - 1
    const node = this.#enter(new OwnerLane(this.#setting, base, knowledge), start, -1, '')
    this.#startKeys.set(key, node)
    return node
  }

  /** What the event does. nowMs: Unix ms. */
  step(node: number, event: LaneEvent, nowMs: number): Step {
    const text = JSON.stringify([event, nowMs])
    const { steps, start } = this.#nodes[node]!
    const known = steps.get(text)
    if (known !== undefined) return known
    const owner = this.replay(node)
    const effect = owner.apply(event, nowMs)
    const step = { node: this.#enter(owner, start, node, text), effect }
    steps.set(text, step)
    return step
  }

  /** A lane with this memory. */
  replay(node: number): OwnerLane {
    const events: string[] = []
    let at = this.#nodes[node]!
    for (; at.from >= 0; at = this.#nodes[at.from]!) events.push(at.event)
    const { base, knowledge } = this.#starts[at.start]!
    const owner = new OwnerLane(this.#setting, base, knowledge)
    while (events.length > 0) {
      const [event, nowMs] = JSON.parse(events.pop()!) as [LaneEvent, number]
      owner.apply(event, nowMs)
    }
    return owner
  }

  /** A lane that has this memory, and to which all this has happened then. */
  replayFrom(node: number, events: readonly LaneEvent[], nowMs: number): OwnerLane {
    const owner = this.replay(node)
    for (const event of events) owner.apply(event, nowMs)
    return owner
  }

  /** The number of a lane's memory; `like` is one that began as it did. -1: none. */
  numberOf(owner: OwnerLane, like: number): number {
    return this.#byText.get(this.#textOf(owner, this.#nodes[like]!.start)) ?? -1
  }

  #enter(owner: OwnerLane, start: number, from: number, event: string): number {
    const text = this.#textOf(owner, start)
    const known = this.#byText.get(text)
    if (known !== undefined) return known
    const node = this.#nodes.push({ from, event, start, view: viewOf(owner), steps: new Map() }) - 1
    this.#byText.set(text, node)
    return node
  }

  #textOf(owner: OwnerLane, start: number): string {
    return `${this.#needsStart(owner, start) ? start : ''}|${fingerprint(owner)}`
  }

  /** Until it has read all that others knew, and written its first checkpoint, what it was told at its start decides with the rest. */
  #needsStart(owner: OwnerLane, start: number): boolean {
    const { known, window } = owner.lane
    const parked = [...this.#starts[start]!.base.parked.keys()]
    return owner.saved.startsWith('none') || window.tracker.next < Math.max(known.below, ...parked.map((offset) => offset + 1))
  }
}

function viewOf(owner: OwnerLane): OwnerView {
  const { lane, flights, rowsOut, checkpointer, group } = owner
  const { parking } = lane
  const stored = [...parking.entries()].filter((entry) => entry.stored || entry.shadows).map(({ offset }) => offset)
  return {
    cursor: lane.window.tracker.cursor,
    flights: flights.map(({ row, slot }) => ({ offset: row.offset, round: row.round, attempt: row.attempt, isFresh: slot >= 0 })),
    rowsOut: rowsOut.length,
    stored: [...new Set([...stored, ...parking.removals])].sort((a, b) => a - b),
    group,
    hasTaken: checkpointer.taken.length > 0,
  }
}

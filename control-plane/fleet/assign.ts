/** A lane to place. Lanes of one group (a use case) are spread over the workers where that costs nothing. */
export interface PlacedLane {
  readonly key: string
  readonly group: string
  /** How much work it is beside the others; above 0. */
  readonly weight: number
}

export interface PlacedWorker {
  readonly instance: string
  /** It leaves: it gets nothing and loses all that it has. */
  readonly draining: boolean
}

/**
 * Places lanes on workers: each lane on exactly one, none at all when nobody takes any. Lanes stay where they are as far as
 * balance allows; what nobody holds goes to the least loaded. With equal weights no worker ends with two lanes more than another,
 * by the fewest moves that reach that. At most `movesMax` lanes change hands between workers that stay; those of workers that leave
 * always do, since they stop anyway. No worker is given more than `lanesMax` lanes: what does not fit has no place. The same
 * question has the same answer, in whichever order it is put.
 */
export function assign(
  lanes: readonly PlacedLane[],
  workers: readonly PlacedWorker[],
  current: ReadonlyMap<string, string>,
  movesMax: number,
  lanesMax: number = Number.POSITIVE_INFINITY,
): Map<string, string> {
  const board = new Board(
    workers.filter((worker) => !worker.draining).map((worker) => worker.instance),
    lanesMax,
  )
  const placement = new Map<string, string>()
  if (board.isEmpty) return placement
  const homeless: PlacedLane[] = []
  for (const lane of [...lanes].sort(heaviestFirst)) {
    const holder = current.get(lane.key)
    if (holder === undefined || !board.has(holder)) homeless.push(lane)
    else board.put(lane, holder)
  }
  for (const lane of homeless) {
    const seat = board.leastLoaded(lane.group)
    if (seat !== undefined) board.put(lane, seat)
  }
  for (let moves = 0; moves < movesMax; moves++) if (!board.moveOne()) break
  board.writeTo(placement)
  return placement
}

const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
const heaviestFirst = (a: PlacedLane, b: PlacedLane): number => b.weight - a.weight || byText(a.key, b.key)

interface Seat {
  readonly instance: string
  readonly lanes: Map<string, PlacedLane>
  /** Lanes of each group here. */
  readonly groups: Map<string, number>
  load: number
}

/** Who has what while it is being placed. */
class Board {
  readonly #seats = new Map<string, Seat>()
  readonly #lanesMax: number

  constructor(instances: readonly string[], lanesMax: number) {
    this.#lanesMax = lanesMax
    for (const instance of [...instances].sort(byText)) {
      this.#seats.set(instance, { instance, lanes: new Map(), groups: new Map(), load: 0 })
    }
  }

  get isEmpty(): boolean {
    return this.#seats.size === 0
  }

  has(instance: string): boolean {
    return this.#seats.has(instance)
  }

  put(lane: PlacedLane, instance: string): void {
    const seat = this.#seats.get(instance)!
    seat.lanes.set(lane.key, lane)
    seat.groups.set(lane.group, (seat.groups.get(lane.group) ?? 0) + 1)
    seat.load += lane.weight
  }

  /** Undefined: none has room. */
  leastLoaded(group: string): string | undefined {
    let best: Seat | undefined
    for (const seat of this.#seats.values()) {
      if (seat.lanes.size >= this.#lanesMax) continue
      const isBetter =
        best === undefined || seat.load < best.load || (seat.load === best.load && inGroup(seat, group) < inGroup(best, group))
      if (isBetter) best = seat
    }
    return best?.instance
  }

  /** Moves one lane from the most to the least loaded when that narrows the gap between the two; answers whether it did. */
  moveOne(): boolean {
    let most: Seat | undefined
    let least: Seat | undefined
    for (const seat of this.#seats.values()) {
      if (most === undefined || seat.load > most.load) most = seat
      if (least === undefined || seat.load < least.load) least = seat
    }
    if (least!.lanes.size >= this.#lanesMax) return false
    const lane = mostHelpful(most!, least!)
    if (lane === undefined) return false
    take(most!, lane)
    this.put(lane, least!.instance)
    return true
  }

  writeTo(placement: Map<string, string>): void {
    for (const seat of this.#seats.values()) for (const key of seat.lanes.keys()) placement.set(key, seat.instance)
  }
}

const inGroup = (seat: Seat, group: string): number => seat.groups.get(group) ?? 0

function take(seat: Seat, lane: PlacedLane): void {
  seat.lanes.delete(lane.key)
  seat.groups.set(lane.group, inGroup(seat, lane.group) - 1)
  seat.load -= lane.weight
}

/** The lane whose move leaves the smallest gap; among equals that of the group that is spread worst, then the last by name. */
function mostHelpful(from: Seat, to: Seat): PlacedLane | undefined {
  const gap = from.load - to.load
  let best: PlacedLane | undefined
  let bestGap = gap
  let bestSpread = 0
  for (const lane of from.lanes.values()) {
    const left = Math.abs(gap - 2 * lane.weight)
    const spread = inGroup(from, lane.group) - inGroup(to, lane.group)
    const isBetter =
      left < bestGap ||
      (left === bestGap && best !== undefined && (spread > bestSpread || (spread === bestSpread && lane.key > best.key)))
    if (!isBetter) continue
    best = lane
    bestGap = left
    bestSpread = spread
  }
  return best
}

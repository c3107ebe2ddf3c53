import type { ClickHouseClient } from '../../runtime/clickhouse.ts'
import { type InboxItem, loggedLane } from '../../runtime/lane-keys.ts'
import type { SpoolView } from '../spool/spool-view.ts'
import type { Lane } from './lane.ts'
import type { Inbox, LaneState } from './lane-state.ts'
import { carryOut } from './orders.ts'
import { newParked } from './parked.ts'

/** Items that are looked at in one go. */
const PAGE = 1000

/** What the log says of a delivery that a retry batch wants to open again. */
export interface KnownRounds {
  readonly round: number
  readonly delivered: boolean
  readonly keyHash: number
}

/** Nothing in the log below the cursor: the log has lost it, and that is why it is to be sent again. */
const LOST: KnownRounds = { round: -1, delivered: false, keyHash: 0 }

/**
 * Takes in what retry batches bring: opens a round for each delivery that has ended. What operators ask for is orders.ts's.
 *
 *   the delivery is                          | then
 *   parked in a round above the item's       | joins: nothing to do, the log counts
 *   still open in the item's round           | the item waits
 *   ended, and DELIVERED meanwhile           | counts, is not sent
 *   ended in a round above the item's        | counts, is not sent: the batch went through its items while that row was in the spool
 *   ended                                    | parked in a new round, due at once or when the earliest of its items says
 *
 * Answers the inbox fields that the next checkpoint removes together with what they opened. Whatever else a field holds by then
 * goes with it: it belongs to the round that was opened.
 */
export async function takeInbox(
  lane: Lane,
  state: LaneState,
  clickhouse: ClickHouseClient,
  spool: Pick<SpoolView, 'isDrained'>,
  timeoutMs: number,
  nowMs: number,
): Promise<string[]> {
  // What is not below the cursor may still be on its way, or is to be read again.
  const inbox = await state.inbox(PAGE, (offset) => offset < lane.window.tracker.cursor)
  if (lane.stopped) return []
  const done = carryOut(lane, inbox.orders, nowMs)
  lane.ordersSeen = true
  const { taken, ready } = sortInbox(lane, inbox, nowMs)
  taken.push(...done)
  if (ready.length === 0) return taken
  // Rounds whose rows wait in the spool are not in the log yet, and their numbers are used.
  if (!(await spool.isDrained())) return lane.stopped ? [] : taken
  const offsets = ready.map(([offset]) => offset)
  const known = await askLog(lane, clickhouse, offsets, timeoutMs)
  // Who has let the lane go must not say any more about it.
  if (lane.stopped) return []
  openRounds(lane, ready, known, nowMs)
  return [...taken, ...offsets.map(String)]
}

type Ready = readonly (readonly [number, readonly InboxItem[]])[]

/** Withdraws what is cancelled; says which fields are dealt with, and which offsets may have a new round by what the log says. */
export function sortInbox(
  lane: Lane,
  { items, cancelled }: Pick<Inbox, 'items' | 'cancelled'>,
  nowMs: number,
): { taken: string[]; ready: Ready } {
  const taken: string[] = []
  for (const batch of cancelled) {
    withdraw(lane, batch, nowMs)
    taken.push(`cancel:${batch}`)
  }
  const ready: [number, readonly InboxItem[]][] = []
  const room = lane.limits.parkedMax - lane.parking.size
  for (const [offset, list] of items) {
    const live = list.filter((item) => !cancelled.includes(item.batch))
    const waiting = lane.parking.get(offset)
    if (live.length === 0 || (waiting !== undefined && !waiting.ended && live.every((item) => waiting.round > item.round)))
      taken.push(String(offset))
    else if (waiting === undefined && ready.length < room) ready.push([offset, live])
  }
  return { taken, ready }
}

/** Parks each in its next round, unless it was delivered meanwhile, or has ended above what was selected. */
export function openRounds(lane: Lane, ready: Ready, known: ReadonlyMap<number, KnownRounds>, nowMs: number): void {
  for (const [offset, list] of ready) {
    const found = known.get(offset) ?? LOST
    const isDone = found.delivered || list.every((item) => found.round > item.round)
    if (!isDone && lane.parking.get(offset) === undefined) open(lane, offset, list, found, nowMs)
  }
}

function open(lane: Lane, offset: number, list: readonly InboxItem[], found: KnownRounds, nowMs: number): void {
  lane.parking.add(
    newParked({
      ...{ offset, state: 'P', attempts: 0, unpaid: 0, firstMs: 0, lastMs: 0, settled: true },
      dueMs: Math.max(nowMs, Math.min(...list.map((item) => item.dueMs ?? 0))),
      round: Math.max(found.round, ...list.map((item) => item.round)) + 1,
      keyHash: lane.orderOf(found.keyHash),
      batch: (list.findLast((item) => item.newKey) ?? list.at(-1)!).batch,
      newKey: list.some((item) => item.newKey),
      stale: list.every((item) => item.stale),
    }),
  )
}

/** What a cancelled batch has opened and nobody has sent stays as it was. */
function withdraw(lane: Lane, batch: string, nowMs: number): void {
  for (const entry of [...lane.parking.entries()]) {
    if (entry.batch !== batch || entry.attempts > 0 || entry.sending || entry.ended) continue
    lane.parking.end(entry, nowMs)
    lane.parking.remove(entry)
  }
}

/** The highest round of each, in the log: no number that was used for a request is given again. */
async function askLog(
  lane: Lane,
  clickhouse: ClickHouseClient,
  offsets: readonly number[],
  timeoutMs: number,
): Promise<Map<number, KnownRounds>> {
  const answer = await clickhouse.query({
    query: `SELECT offset, max(round), max(outcome = 'DELIVERED'), max(key_hash) FROM outcomes WHERE uid = {uid:String}
      AND cluster = {cluster:String} AND topic = {topic:String} AND partition = {partition:UInt32} AND replay = {replay:String}
      AND offset IN {offsets:Array(UInt64)} GROUP BY offset`,
    query_params: { ...loggedLane(lane.id), offsets },
    format: 'JSONCompactStringsEachRow',
    abort_signal: AbortSignal.timeout(timeoutMs),
  })
  const rows = await answer.json<[string, string, string, string]>()
  return new Map(
    rows.map(([offset, round, delivered, keyHash]) => [
      Number(offset),
      { round: Number(round), delivered: delivered === '1', keyHash: Number(keyHash) },
    ]),
  )
}

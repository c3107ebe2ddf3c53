import { type InboxItem, type ParkedEntry, readParked, writeParked } from '../../runtime/lane-keys.ts'
import type { Draft } from '../../worker/lane/checkpoint-draft.ts'
import { Checkpointer } from '../../worker/lane/checkpointer.ts'
import { groupPosition } from '../../worker/lane/floor.ts'
import { openRounds, sortInbox } from '../../worker/lane/inbox-desk.ts'
import { hashKey } from '../../worker/lane/key-order.ts'
import { Lane } from '../../worker/lane/lane.ts'
import type { Checkpoint } from '../../worker/lane/lane-state.ts'
import { Load } from '../../worker/lane/load.ts'
import type { LogKnowledge } from '../../worker/lane/look-up.ts'
import { packRecord, unpackRecord } from '../../worker/lane/packed-record.ts'
import type { Parked } from '../../worker/lane/parked.ts'
import { startLane } from '../../worker/lane/start-lane.ts'
import { takeDue } from '../../worker/lane/take-due.ts'
import type { TakeoverBase } from '../../worker/lane/takeover.ts'
import type { RowOwner } from '../../worker/record/attempt.ts'
import type { KafkaRecord } from '../../worker/source/kafka-record.ts'
import { keyOf } from './bounds.ts'
import type { LaneSetting } from './lane-setting.ts'

export type Reply = 'OK' | 'BUSY' | 'BAD'

/** What happens to a lane in the hands of its owner. Offsets, and indices of rows that are not durable yet, oldest first. */
export type LaneEvent =
  | readonly ['FEED', from: number, to: number]
  | readonly ['FRESH']
  | readonly ['RETRY']
  | readonly ['ANSWER', offset: number, reply: Reply]
  | readonly ['ABORT']
  | readonly ['LET_PASS', offset: number]
  | readonly ['ACKNOWLEDGED', first: number, count: number]
  | readonly ['DRAFT', isFinished: boolean]
  | readonly ['ACCEPTED']
  | readonly ['PROVE']
  | readonly ['DRAIN']
  | readonly ['INBOX', items: readonly InboxPlace[]]

/** What the inbox holds for an offset, and what the log says of it: its highest round and whether it was delivered, if anything. */
export type InboxPlace = readonly [offset: number, items: readonly InboxItem[], round: number | null, isDelivered: boolean]

/** offset, round, attempt, outcome */
export type NewRow = readonly [number, number, number, number]

/** What an event has brought about. */
export interface Effect {
  readonly rows: readonly NewRow[]
  readonly sent: readonly [offset: number, round: number, attempt: number] | undefined
  readonly message: Checkpoint | undefined
}

/** A row that is not durable yet. */
interface OutRow {
  readonly owner: RowOwner<Parked>
  readonly slot: number
  readonly entry: Parked | undefined
  readonly offset: number
}

const statuses = { OK: 200, BUSY: 503, BAD: 422, ABORTED: 0 } as const
const NONE = Buffer.alloc(0)
const id = { uid: 'u1', cluster: 'default', topic: 't', partition: 0 }
/** Redis' texts know no times here: which of two is due first does not outlive an owner. */
const timeless = (text: string): string =>
  writeParked({ ...readParked(text), firstMs: 0, lastMs: 0, dueMs: 0 } satisfies ParkedEntry)

/** The product's own lane and checkpointer, driven by events instead of timers, sockets and connections. */
export class OwnerLane {
  readonly lane: Lane
  readonly checkpointer: Checkpointer
  readonly flights: Load[] = []
  readonly rowsOut: OutRow[] = []
  /** The checkpoint that is not answered yet. */
  pending: Draft | undefined
  /** What the last accepted checkpoint said, and whether another one is written although nothing has changed. */
  saved = 'none'
  /** Offsets that may be sent next, in the order in which they came to be ready. */
  ready: readonly number[] = []
  #isForced = false
  readonly #setting: LaneSetting
  readonly #rows: NewRow[] = []

  constructor(setting: LaneSetting, base: TakeoverBase, knowledge: LogKnowledge | undefined) {
    this.#setting = setting
    const { route, limits } = setting
    const { entriesMax } = setting
    this.checkpointer = new Checkpointer(
      { checkpoint: () => Promise.reject(new Error('nothing is sent here')) },
      { bytesMax: 1, entriesMax, removalsMax: entriesMax },
    )
    const start = startLane(base, knowledge, route.plan.ordering, limits.creditMax, 1)
    this.lane = new Lane(id, 1, route, limits, start, {
      attempts: {
        add: (_lane, row, owner, slot, entry) => {
          this.#rows.push([row.offset, row.round, row.attempt, row.outcome])
          this.rowsOut.push({ owner, slot, entry, offset: row.offset })
        },
      },
      ranges: { add: () => {} },
      ...{ instance: 'i', nextRequestId: () => 1, windowRecords: 4 },
    })
    // How each of these is switched off.
    if (!setting.on.keyReopen) start.known.reopen = () => {}
    const { order } = this.lane.window
    if (order !== undefined && !setting.on.keyPrefix) order.prefixCounter = () => (_slot, ended) => ended
  }

  apply(event: LaneEvent, nowMs: number): Effect {
    this.#rows.length = 0
    const { sent, message } = this.#happen(event, nowMs)
    const rows = [...this.#rows]
    this.ready = this.#readyNow()
    if (!this.#setting.on.settledOnly) this.#acknowledge(0, this.rowsOut.length)
    return { rows, sent, message }
  }

  #happen(event: LaneEvent, nowMs: number): Partial<Effect> {
    const { lane, checkpointer } = this
    switch (event[0]) {
      case 'FEED':
        for (let offset = event[1]; offset < event[2]; offset++)
          lane.feed([{ hole: undefined, records: [this.#record(offset)], fetched: { bytes: 10, held: 0 } }], event[2])
        return {}
      case 'FRESH':
        return this.#send((load) => lane.takeFresh(load), nowMs)
      case 'RETRY':
        this.#load(nowMs)
        return this.#send((load) => lane.takeRetry(load, (entry) => unpackRecord(entry.packed!, entry.offset)), nowMs)
      case 'ANSWER':
        this.#land(event[1], event[2], nowMs)
        return {}
      case 'ABORT':
        for (const offset of this.flights.map(({ row }) => row.offset).sort()) this.#land(offset, 'ABORTED', nowMs)
        return {}
      case 'LET_PASS':
        lane.letPass(this.flights.find(({ row }) => row.offset === event[1])!, nowMs)
        return {}
      case 'ACKNOWLEDGED':
        this.#acknowledge(event[1], event[2])
        return {}
      case 'DRAFT':
        return this.#draft(event[1], nowMs)
      case 'ACCEPTED':
        checkpointer.accepted(lane, this.pending!)
        this.saved = `${this.pending!.checkpoint.cursor};${this.pending!.checkpoint.ended}${this.#isForced ? ';forced' : ''}`
        this.pending = undefined
        return {}
      case 'PROVE':
        checkpointer.prove()
        this.#isForced = true
        this.saved = this.saved.replace(/(;forced)?$/, ';forced')
        return {}
      case 'DRAIN':
        lane.stopped = true
        lane.intake.clear()
        return {}
      case 'INBOX':
        this.#takeInbox(event[1], nowMs)
        return {}
    }
  }

  #record(offset: number): KafkaRecord {
    return {
      offset: `${offset}`,
      timestamp: '0',
      headers: {},
      key: Buffer.from(this.#setting.keys[offset]!),
      value: Buffer.from('1'),
    }
  }

  /** Whatever is due next is due now, and its bytes are there at once. What may not go yet is due when it was. */
  #load(nowMs: number): void {
    const { lane } = this
    const { parking, loaded } = lane
    if (lane.stopped || loaded.length > 0) return
    const dues = new Map([...parking.entries()].map((entry) => [entry, entry.dueMs]))
    const lastMs = Math.max(nowMs, ...dues.values())
    for (let at = Math.max(nowMs, parking.nextDueMs()); at <= lastMs && loaded.length === 0; at = parking.nextDueMs())
      for (const entry of this.#takeDue(at)) {
        entry.packed = packRecord(this.#record(entry.offset))
        loaded.push(entry)
      }
    for (const [entry, dueMs] of dues) if (!entry.sending && !entry.ended && entry.dueMs > dueMs) parking.defer(entry, dueMs)
  }

  #takeDue(nowMs: number): Parked[] {
    const { lane } = this
    if (this.#setting.on.savedRound) return takeDue(lane, nowMs)
    const early = [...lane.parking.entries()].filter(({ round, stored }) => round > 0 && !stored)
    for (const entry of early) entry.stored = true
    const due = takeDue(lane, nowMs)
    for (const entry of early) entry.stored = false
    return due
  }

  #send(take: (load: Load) => boolean, nowMs: number): Partial<Effect> {
    const load = new Load()
    if (!take(load)) return {}
    if (!this.lane.decode(load, nowMs)) throw new Error('a record does not decode')
    this.flights.push(load)
    const { offset, round, attempt } = load.row
    return { sent: [offset, round, attempt] }
  }

  #land(offset: number, reply: keyof typeof statuses, nowMs: number): void {
    const at = this.flights.findIndex(({ row }) => row.offset === offset)
    const [load] = this.flights.splice(at, 1)
    const answer = { status: statuses[reply], error: undefined, responseHeaders: [], responseBody: NONE, responseBytes: 0 }
    const cut = reply === 'ABORTED' ? reply : undefined
    this.lane.landed({ load: load!, ...answer, cut, sentAt: 0, endedAt: 0 }, nowMs)
  }

  #acknowledge(first: number, count: number): void {
    for (const { owner, slot, entry } of this.rowsOut.splice(first, count)) owner.acknowledged(slot, entry)
  }

  #draft(isFinished: boolean, nowMs: number): Partial<Effect> {
    const isNew = this.pending === undefined
    this.pending = this.checkpointer.next(this.lane, isFinished, nowMs)
    if (this.pending === undefined) return {}
    if (isNew) {
      this.#isForced = false
      this.saved = this.saved.replace(/;forced$/, '')
    }
    const { checkpoint } = this.pending
    // In which order it names them changes nothing.
    const parked = checkpoint.parked
      .map((each) => ({ ...each, entry: timeless(each.entry), bytes: undefined }))
      .sort((a, b) => a.offset - b.offset)
    return { message: { ...checkpoint, parked, removed: [...checkpoint.removed].sort((a, b) => a - b) } }
  }

  #takeInbox(places: readonly InboxPlace[], nowMs: number): void {
    const { lane, checkpointer } = this
    // An item that selected the last round cannot be done by it.
    const selected = (list: readonly InboxItem[], round: number): InboxItem[] =>
      list.map((item) => ({ ...item, round: this.#setting.on.doneByRound ? item.round : Math.max(item.round, round) }))
    const items = new Map(places.map(([offset, list, round]) => [offset, selected(list, round ?? -1)]))
    const { taken, ready } = sortInbox(lane, { items, cancelled: [] }, nowMs)
    const isOrdered = lane.window.order !== undefined
    const known = new Map<number, { round: number; delivered: boolean; keyHash: number }>()
    for (const [offset, , round, delivered] of places)
      if (round !== null)
        known.set(offset, { round, delivered, keyHash: isOrdered ? hashKey(Buffer.from(this.#setting.keys[offset]!)) : 0 })
    openRounds(lane, ready, known, nowMs)
    checkpointer.taken.push(...taken, ...ready.map(([offset]) => `${offset}`))
  }

  /** Fresh records in the window that nothing keeps from being sent: of each key the first, and not sent yet. */
  #readyNow(): number[] {
    const { tracker } = this.lane.window
    const seen = new Set<string>()
    const now: number[] = []
    const isGone = (offset: number): boolean =>
      this.lane.parking.get(offset) !== undefined || this.rowsOut.some((row) => row.offset === offset)
    const ended = tracker.endedRuns()
    for (let offset = tracker.cursor; offset < tracker.next; offset++) {
      if (isGone(offset) || ended.some((run) => run.first <= offset && offset <= run.last)) continue
      const key = keyOf(this.#setting, offset) ?? `${offset}`
      const isFirst = !seen.has(key)
      seen.add(key)
      if (isFirst && !this.flights.some(({ row }) => row.offset === offset)) now.push(offset)
    }
    return [...this.ready.filter((offset) => now.includes(offset)), ...now.filter((offset) => !this.ready.includes(offset))]
  }

  /** Which come first, when a checkpoint has not room for all. */
  get waitingOrder(): readonly number[] {
    const { dirty, removals } = this.lane.parking
    const isOne = this.#setting.entriesMax === 1
    return isOne ? [...[...dirty].map(({ offset }) => offset), -1, ...removals] : []
  }

  get group(): string {
    const { floor, metadata } = groupPosition(this.lane, 4096)
    return `${floor} ${metadata}`
  }
}

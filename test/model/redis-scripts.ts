import type { HandedItem, Handover } from '../../control-plane/retry-batches/enqueue.ts'
import { readInbox, readParked, writeInboxItem } from '../../runtime/lane-keys.ts'
import type { Checkpoint } from '../../worker/lane/lane-state.ts'
import { type Safeguards, safeguards } from './safeguards.ts'

// What the scripts in Lua do to a lane's hashes, said once more: redis-scripts.test.ts drives both with the same words and
// compares every answer and everything that is stored.

type Hash = Record<string, string>

export interface LaneHashes {
  readonly lane: Hash
  readonly parked: Hash
  readonly bytes: Hash
  readonly inbox: Hash
}

export const emptyHashes = (): LaneHashes => ({ lane: {}, parked: {}, bytes: {}, inbox: {} })

/** What registration writes. */
export const firstState = (start: number): LaneHashes => ({
  ...emptyHashes(),
  lane: { epoch: '0', owner: '', version: '1', cursor: `${start}`, ended: '', saved: '0', clean: '1', credit: '', writer: '0' },
})

export interface Fence {
  readonly epoch: number
  readonly owner: string
}

/** CLAIMED: the fields as they were. */
export type Claimed =
  | { readonly kind: 'CLAIMED'; readonly lane: Hash; readonly parked: Hash; readonly inboxCount: number }
  | { readonly kind: 'REFUSED'; readonly epoch: number }

export function claim({ lane, parked, inbox }: LaneHashes, fence: Fence, nowMs: number, on: Safeguards = safeguards): Claimed {
  const stored = Number(lane['epoch'] ?? -1)
  const isAgain = fence.epoch === stored && lane['owner'] === fence.owner && lane['claimed'] === '1'
  if (on.claim && fence.epoch <= stored && !isAgain) return { kind: 'REFUSED', epoch: stored }
  const claimed = { kind: 'CLAIMED', lane: { ...lane }, parked: { ...parked }, inboxCount: Object.keys(inbox).length } as const
  if (!on.claim) return claimed
  Object.assign(lane, { epoch: `${fence.epoch}`, owner: fence.owner, claimed: '1', version: lane['version'] ?? '0' })
  if (on.claimClearsClean) delete lane['clean']
  if (Number(lane['saved'] ?? 0) > nowMs) lane['saved'] = `${nowMs}`
  return claimed
}

export type Checkpointed =
  | { readonly kind: 'ACCEPTED'; readonly version: number; readonly inboxCount: number }
  | { readonly kind: 'REFUSED'; readonly epoch: number }

/** version: that of the last accepted checkpoint, as its sender knows it. */
export function checkpoint(
  hashes: LaneHashes,
  fence: Fence,
  version: number,
  given: Checkpoint,
  on: Safeguards = safeguards,
): Checkpointed {
  const { lane, inbox } = hashes
  const refused = { kind: 'REFUSED', epoch: Number(lane['epoch'] ?? 0) } as const
  const id = `${fence.epoch}:${version}`
  const accepted = (): Checkpointed => ({
    ...{ kind: 'ACCEPTED', version: Number(lane['version']), inboxCount: Object.keys(inbox).length },
  })
  if (!isHeldBy(lane, fence, on)) return refused
  if (on.versionEqual && lane['version'] !== `${version}`) return on.checkpointTwice && lane['last'] === id ? accepted() : refused
  Object.assign(lane, { version: `${(on.versionEqual ? version : Number(lane['version'] ?? 0)) + 1}`, last: id })
  Object.assign(lane, {
    cursor: `${given.cursor}`,
    ended: given.ended,
    saved: `${given.savedMs}`,
    clean: given.clean ? '1' : '0',
  })
  Object.assign(lane, { credit: `${given.credit}`, writer: `${fence.epoch}`, claimed: '0', policy: given.policyId })
  if (!on.claim) Object.assign(lane, { epoch: `${fence.epoch}`, owner: fence.owner })
  write(hashes, given, on)
  return accepted()
}

function isHeldBy(lane: Hash, fence: Fence, on: Safeguards): boolean {
  const epoch = Number(lane['epoch'] ?? -1)
  // Nobody claims: the newest that writes takes the lane.
  if (!on.claim) return fence.epoch >= epoch
  return (!on.epochEqual || epoch === fence.epoch) && (!on.ownerEqual || lane['owner'] === fence.owner)
}

function write({ parked, bytes, inbox }: LaneHashes, given: Checkpoint, on: Safeguards): void {
  for (const { offset, entry, bytes: packed } of given.parked) {
    parked[offset] = entry
    if (packed !== undefined) bytes[offset] = packed.toString('latin1')
  }
  for (const offset of given.removed) {
    delete parked[offset]
    delete bytes[offset]
  }
  for (const field of given.taken) {
    const [first, ...later] = (inbox[field] ?? '').split(',')
    if (on.takeAll || first === undefined || later.length === 0) delete inbox[field]
    else inbox[field] = later.join(',')
  }
}

export type HandedOver =
  | { readonly kind: 'HANDED'; readonly handed: number; readonly added: number }
  | { readonly kind: 'NO_LANE' }

/** Without a cancelled batch. */
export function enqueue(hashes: LaneHashes, handover: Handover, on: Safeguards = safeguards): HandedOver & { full: boolean } {
  const { lane, inbox } = hashes
  const { batch, lap, items, inboxMax, handedMax = Number.POSITIVE_INFINITY } = handover
  if (Object.keys(lane).length === 0) return { kind: 'NO_LANE', full: false }
  const field = `mark:${batch}`
  const [markedLap, marked, before] = (lane[field] ?? '-1:-1:0').split(':').map(Number)
  const result = { kind: 'HANDED' as const, handed: 0, added: 0, full: false }
  if (on.watermark && lap < markedLap!) return result
  let mark = lap > markedLap! || !on.watermark ? -1 : marked!
  for (const item of items) {
    if (item.offset <= mark) continue
    if (before! + result.handed >= handedMax) break
    const added = bring(hashes, item, batch, Object.keys(inbox).length < inboxMax, on)
    if (added === undefined) {
      result.full = true
      break
    }
    result.added += added
    result.handed++
    mark = item.offset
  }
  lane[field] = `${lap}:${mark}:${before! + result.handed}`
  return result
}

/** Answers how many were added to the inbox; undefined: it is full. */
function bring(
  { parked, inbox }: LaneHashes,
  item: HandedItem,
  batch: string,
  hasRoom: boolean,
  on: Safeguards,
): number | undefined {
  const { offset, round } = item
  const entry = parked[offset]
  const parkedRound = entry === undefined ? -1 : readParked(entry).round
  if (on.joinNewerRound ? parkedRound > round : entry !== undefined) return 0
  const waiting = inbox[offset]
  if (waiting === undefined) {
    if (!hasRoom) return undefined
    inbox[offset] = writeInboxItem({ ...item, batch })
    return 1
  }
  if (readInbox(waiting).some((each) => each.batch === batch)) return 0
  inbox[offset] = `${waiting},${writeInboxItem({ ...item, batch })}`
  return 1
}

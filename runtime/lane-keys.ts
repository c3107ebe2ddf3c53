// Names and text formats of a lane's state in Redis and Kafka, as docs/state.md has them.

/** Plain form of the contract's LaneId. */
export interface LaneId {
  readonly uid: string
  readonly cluster: string
  readonly topic: string
  readonly partition: number
}

/** `{uid}/{cluster}/{topic}/{partition}`: one word for a lane in maps, logs and keys. Topics hold no slash. */
export const laneKey = (id: LaneId): string => `${id.uid}/${id.cluster}/${id.topic}/${id.partition}`

const REPLAY_MARK = '~'

/**
 * To lanes, workers and the fleet a replay is a use case of its own: its uid is the use case's with the replay's id behind it. Only the
 * log has the two apart.
 */
export const replayUid = (uid: string, replay: string): string => `${uid}${REPLAY_MARK}${replay}`

/** The use case's own uid, and the replay's id or nothing. */
export function splitUid(uid: string): { readonly uid: string; readonly replay: string } {
  const at = uid.indexOf(REPLAY_MARK)
  return at < 0 ? { uid, replay: '' } : { uid: uid.slice(0, at), replay: uid.slice(at + 1) }
}

/** A lane's rows in the log, as parameters of a query. */
export const loggedLane = ({ uid, cluster, topic, partition }: LaneId) => ({ ...splitUid(uid), cluster, topic, partition })

/** Ids of replays begin so; of those to another endpoint than the use case's with the second. */
export const replayPrefix = { endpoint: 'rp-', shadow: 'sh-' } as const

export const isShadow = (replay: string): boolean => replay.startsWith(replayPrefix.shadow)

export interface LaneKeys {
  readonly lane: string
  readonly parked: string
  readonly bytes: string
  readonly inbox: string
}

/** The lane's Redis keys; the braces put them into one hash slot. */
export function laneKeys(id: LaneId): LaneKeys {
  const prefix = `ferry:{${laneKey(id)}}:`
  return { lane: `${prefix}lane`, parked: `${prefix}parked`, bytes: `${prefix}bytes`, inbox: `${prefix}inbox` }
}

export const leaseKey = (instance: string): string => `ferry:{worker/${instance}}:lease`

/** The Kafka group that mirrors a use case's floors. `name` is `namespaces/{namespace}/useCases/{id}`. */
export function groupId(name: string, uid: string): string {
  const [, namespace, , id] = name.split('/')
  return `ferry.${namespace}.${id}.${uid}`
}

/** P waits for its next attempt, B behind an earlier record of its key, X is out of retries, H, too, and for an operator, D is given up and goes to the dead-letter topic, S is on its way. */
export type ParkedState = 'P' | 'B' | 'X' | 'H' | 'D' | 'S'

export interface ParkedEntry {
  readonly state: ParkedState
  /** 53-bit hash of the key; undefined without a key or in an unordered lane. */
  readonly keyHash: number | undefined
  readonly attempts: number
  /** Of the attempts, those that cost no retry: Ferry itself aborted them. */
  readonly unpaid: number
  readonly firstMs: number
  readonly lastMs: number
  readonly dueMs: number
  readonly round: number
  readonly bytes: number
  /** R: the packed record is in Redis; K: in Kafka or, where Kafka no longer has it, in the log's payloads. */
  readonly where: 'R' | 'K'
  readonly batch: string | undefined
  readonly stale: boolean
  /** It has an idempotency key of the batch's own. */
  readonly newKey: boolean
}

/** Numbers of a last word that says several things. */
const STALE = 1
const NEW_KEY = 2

const writeFlags = (stale: boolean, newKey: boolean): number => (stale ? STALE : 0) + (newKey ? NEW_KEY : 0)

export function writeParked(entry: ParkedEntry): string {
  const { state, keyHash, attempts, unpaid, firstMs, lastMs, dueMs, round, bytes, where, batch, stale, newKey } = entry
  return `${state} ${keyHash ?? '-'} ${attempts} ${unpaid} ${firstMs} ${lastMs} ${dueMs} ${round} ${bytes} ${where} ${batch ?? '-'} ${writeFlags(stale, newKey)}`
}

/** Throws on a text that is none: lane state that cannot be read must stop the lane, not be guessed at. */
export function readParked(text: string): ParkedEntry {
  const words = text.split(' ')
  const [state, keyHash, attempts, unpaid, firstMs, lastMs, dueMs, round, bytes, where, batch, flags] = words
  if (words.length !== 12 || !/^[PBXHDS]$/.test(state!) || !/^[RK]$/.test(where!))
    throw new Error(`not a parked entry: ${JSON.stringify(text)}`)
  return {
    state: state as ParkedState,
    keyHash: keyHash === '-' ? undefined : Number(keyHash),
    attempts: Number(attempts),
    unpaid: Number(unpaid),
    firstMs: Number(firstMs),
    lastMs: Number(lastMs),
    dueMs: Number(dueMs),
    round: Number(round),
    bytes: Number(bytes),
    where: where as 'R' | 'K',
    batch: batch === '-' ? undefined : batch,
    stale: (Number(flags) & STALE) > 0,
    newKey: (Number(flags) & NEW_KEY) > 0,
  }
}

/** What one retry batch asks for one offset: to open the round after `round`. */
export interface InboxItem {
  readonly batch: string
  /** Round of the outcome that was selected. */
  readonly round: number
  /** It is to end SUPERSEDED: a newer record of its key was delivered. */
  readonly stale: boolean
  /** It gets an idempotency key of the batch's own. */
  readonly newKey?: boolean
  /** Not before, Unix ms; not set: at once. */
  readonly dueMs?: number
}

export const writeInboxItem = ({ batch, round, stale, newKey = false, dueMs = 0 }: InboxItem): string =>
  `${batch}:${round}:${writeFlags(stale, newKey)}${dueMs > 0 ? `:${dueMs}` : ''}`

export function readInbox(text: string): InboxItem[] {
  return text.split(',').map((each) => {
    const [batch, round, flags, dueMs] = each.split(':')
    return {
      ...{ batch: batch!, round: Number(round), stale: (Number(flags) & STALE) > 0 },
      ...((Number(flags) & NEW_KEY) > 0 ? { newKey: true } : {}),
      ...(dueMs === undefined ? {} : { dueMs: Number(dueMs) }),
    }
  })
}

/** What an operator wants done with the deliveries of some offsets that wait; both ends are included. */
export interface LaneOrder {
  readonly kind: 'SKIP' | 'RETRY'
  readonly first: number
  readonly last: number
  /** For the log. */
  readonly reason: string
}

/** The inbox's fields of orders begin so; the rest is theirs alone. */
export const orderPrefix = 'order:'

export const writeOrder = ({ kind, first, last, reason }: LaneOrder): string => `${kind} ${first} ${last} ${reason}`

/** Undefined for a text that is none. */
export function readOrder(text: string): LaneOrder | undefined {
  const match = /^(SKIP|RETRY) (\d+) (\d+) (.*)$/s.exec(text)
  return match
    ? { kind: match[1] as LaneOrder['kind'], first: Number(match[2]), last: Number(match[3]), reason: match[4]! }
    : undefined
}

/** Offsets one after the other, both ends included. */
export interface Run {
  readonly first: number
  readonly last: number
}

export const writeRuns = (runs: readonly Run[]): string => runs.map((run) => `${run.first}-${run.last}`).join(',')

export function readRuns(text: string): Run[] {
  if (text === '') return []
  return text.split(',').map((each) => {
    const [first, last] = each.split('-')
    return { first: Number(first), last: Number(last) }
  })
}

/** What the group commit of a lane carries beside its offset, the floor. */
export interface GroupMetadata {
  readonly cursor: number
  /** Offsets below the cursor that have not ended. */
  readonly open: readonly Run[]
}

/** At most `bytesMax` long: undefined when it would be longer, then the cursor must be given as the floor. */
export function writeGroupMetadata(metadata: GroupMetadata, bytesMax: number): string | undefined {
  const text = `1;${metadata.cursor};${writeRuns(metadata.open)}`
  return text.length <= bytesMax ? text : undefined
}

/** Answers undefined for metadata that Ferry did not write: then the offset alone counts. */
export function readGroupMetadata(text: string): GroupMetadata | undefined {
  const match = /^1;(\d+);([\d,-]*)$/.exec(text)
  return match ? { cursor: Number(match[1]), open: readRuns(match[2]!) } : undefined
}

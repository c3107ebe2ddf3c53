import { type Bounds, bounds } from './bounds.ts'
import type { Safeguard } from './safeguards.ts'

/** Safeguards that are switched off together, and where the explorer should notice. */
export interface Mutation {
  readonly name: string
  readonly off: readonly Safeguard[]
  readonly in: Bounds
  /** What is found; undefined: nothing, and why that is so. */
  readonly finds: 'I1' | 'I2' | 'I3' | 'I4' | 'I5' | 'I6' | 'I7' | 'I8' | 'I9' | undefined
  readonly why?: string
  /** Too slow for every run of the tests. */
  readonly isSlow?: true
}

const A = 'A'
const AA = 'AA'
const poison = ['BAD'] as const
const retry = ['BUSY', 'OK'] as const

export const mutations: readonly Mutation[] = [
  { name: 'claim', off: ['claim'], in: bounds({ keys: A, freeze: 1 }), finds: 'I4' },
  { name: 'epoch', off: ['epochEqual', 'ownerEqual'], in: bounds({ keys: A, freeze: 1 }), finds: 'I4' },
  {
    name: 'owner',
    off: ['ownerEqual'],
    in: bounds({ keys: A, freeze: 1 }),
    finds: undefined,
    why: 'no epoch is given twice, so it implies its owner',
  },
  {
    name: 'version',
    off: ['versionEqual'],
    in: bounds({ keys: A, workers: 1, rollback: 1, rollbackDepth: 3, replies: [retry] }),
    finds: 'I1',
  },
  {
    name: 'the same checkpoint twice',
    off: ['checkpointTwice'],
    in: bounds({ keys: 'AB', workers: 1, lostReply: 1 }),
    finds: 'I3',
  },
  { name: 'settled-only checkpoint', off: ['settledOnly'], in: bounds({ keys: A, workers: 1, crash: 1 }), finds: 'I1' },
  {
    name: 'ended runs, the log away',
    off: ['endedRuns'],
    in: bounds({ keys: 'AB', workers: 1, crash: 1, skipLookUp: 1 }),
    finds: 'I3',
  },
  { name: 'touch and expel', off: ['touchExpel'], in: bounds({ keys: A, takeWithoutExpel: 1 }), finds: 'I5' },
  { name: 'lease ends before expel', off: ['leaseMargin'], in: bounds({ keys: A, freeze: 1 }), finds: 'I5' },
  {
    name: 'no new lease after its end',
    off: ['missingLease'],
    in: bounds({ keys: A, lapse: 1, flush: 1 }),
    finds: 'I5',
    isSlow: true,
  },
  { name: 'take-over look-up', off: ['lookUp'], in: bounds({ keys: A, workers: 1, crash: 1 }), finds: 'I3' },
  { name: 'insert dead before look-up', off: ['insertMargin'], in: bounds({ keys: A, workers: 1, crash: 1 }), finds: 'I3' },
  {
    name: 'look-up of parked ones',
    off: ['lookUpParked'],
    in: bounds({ keys: A, workers: 1, crash: 1, replies: [['BUSY']] }),
    finds: 'I3',
  },
  {
    name: 'look-up by round',
    off: ['lookUpByRound'],
    in: bounds({ keys: A, workers: 1, crash: 1, batches: 1, replies: [poison] }),
    finds: undefined,
    why: 'a batch hands over again what its lane has lost',
  },
  {
    name: 'KEY: look-up by the last writer',
    off: ['lookUpByWriter'],
    in: bounds({ keys: AA, workers: 1, crash: 1, rollback: 1 }),
    finds: 'I5',
    isSlow: true,
  },
  {
    name: 'KEY: newest epoch',
    off: ['newestEpoch'],
    in: bounds({ keys: AA, workers: 1, crash: 1, rollback: 1 }),
    finds: undefined,
    why: 'rows older than the last writer do not count, unless Redis has lost who that was, and a rollback and a crash do not show that',
  },
  {
    name: 'KEY: ends behind what is sent again',
    off: ['keyReopen'],
    in: bounds({ keys: AA, workers: 1, crash: 1, inserts: 2 }),
    finds: 'I5',
  },
  {
    name: 'KEY: prefix rule of a checkpoint',
    off: ['keyPrefix'],
    in: bounds({ keys: AA, workers: 1, crash: 1, inserts: 2 }),
    finds: undefined,
    why: 'the new owner counts no end behind what it sends again',
  },
  {
    name: 'KEY: acknowledgement in the order of rows',
    off: ['ackInOrder'],
    in: bounds({ keys: AA, workers: 1, crash: 1, inserts: 2 }),
    finds: undefined,
    why: 'the prefix rule, and the new owner, refuse an end behind an open record of its key',
  },
  {
    name: 'checkpoint before the first request',
    off: ['checkpointFirst'],
    in: bounds({ keys: AA, workers: 1, crash: 1, rollback: 1 }),
    finds: 'I5',
    isSlow: true,
  },
  { name: 'token', off: ['token'], in: bounds({ keys: 'AB', workers: 1, lostInsertReply: 1 }), finds: 'I1' },
  { name: 'drain', off: ['drain'], in: bounds({ keys: A, move: 1 }), finds: 'I3' },
  {
    name: 'clean counts by the released version',
    off: ['cleanByRelease'],
    in: bounds({ keys: A, workers: 1, crash: 1, rollback: 1 }),
    finds: 'I3',
  },
  {
    name: 'a claim takes clean away',
    off: ['claimClearsClean'],
    in: bounds({ keys: A, crash: 1, move: 1 }),
    finds: undefined,
    why: 'the first checkpoint of an owner takes it away, too, before anything is sent',
  },
  {
    name: 'RELEASED by epoch',
    off: ['releasedByEpoch'],
    in: bounds({ keys: A, move: 1, lostBeat: 1 }),
    finds: undefined,
    why: 'the reply that gives a lane again acknowledges what was let go before',
  },
  {
    name: 'a new epoch after a refusal',
    off: ['newEpoch'],
    in: bounds({ keys: A, workers: 1, rollback: 1, tracksIds: true }),
    finds: 'I6',
  },
  {
    name: 'epochs above the clock',
    off: ['epochClock'],
    in: bounds({ keys: A, workers: 1, flush: 1, leaderDies: 1, crash: 1, groupCommits: true, tracksIds: true }),
    finds: 'I6',
    isSlow: true,
  },
  { name: 'assignments are written down', off: ['grants'], in: bounds({ keys: A, leaderDies: 1 }), finds: 'I5' },
  { name: "a former leader's clock", off: ['leaderClock'], in: bounds({ keys: A, leaderFreezes: 1 }), finds: 'I5', isSlow: true },
  {
    name: "a former leader's term",
    off: ['term'],
    in: bounds({ keys: A, leaderFreezes: 1 }),
    finds: undefined,
    why: 'it tells nobody of its assignment: its clock says that it no longer leads',
  },
  {
    name: 'lanes prove themselves after Redis was away',
    off: ['proves'],
    in: bounds({ keys: A, workers: 1, rollback: 1, rollbackDepth: 3 }),
    finds: 'I2',
  },
  {
    name: 'group metadata, the log away',
    off: ['groupMetadata'],
    in: bounds({ keys: 'AB', workers: 1, flush: 1, skipLookUp: 1, groupCommits: true, hang: 1 }),
    finds: 'I3',
    isSlow: true,
  },
  {
    name: 'the spool before a takeover',
    off: ['spoolDrained'],
    in: bounds({ keys: A, workers: 1, spool: 1, crash: 1 }),
    finds: 'I3',
  },
  {
    name: 'the spool before an inbox',
    off: ['spoolInbox'],
    in: bounds({ keys: A, workers: 1, batches: 1, spool: 2, tracksIds: true, replies: [poison] }),
    finds: 'I6',
  },
  {
    name: 'a batch counts what has ended in a later round',
    off: ['doneByRound'],
    in: bounds({ keys: A, workers: 1, batches: 1, spool: 2, replies: [poison] }),
    finds: 'I7',
  },
  {
    name: 'inbox watermark',
    off: ['watermark', 'doneByRound'],
    in: bounds({ keys: A, workers: 1, batches: 1, coordinatorDies: 1, replies: [poison] }),
    finds: 'I7',
  },
  {
    name: 'inbox watermark alone',
    off: ['watermark'],
    in: bounds({ keys: A, workers: 1, batches: 1, coordinatorDies: 1, replies: [poison] }),
    finds: undefined,
    why: 'the owner sees in the log that a later round has ended',
  },
  {
    name: 'paging by the log',
    off: ['pageSkipsEnded'],
    in: bounds({ keys: A, workers: 1, batches: 1, coordinatorDies: 1, replies: [poison] }),
    finds: undefined,
    why: 'the watermark passes each item once',
  },
  {
    name: 'an item joins a later round only',
    off: ['joinNewerRound'],
    in: bounds({ keys: A, workers: 1, batches: 1, replies: [['BUSY', 'BAD']] }),
    finds: undefined,
    why: 'a batch hands over again what its lane has lost',
  },
  {
    name: 'all items of an offset are taken',
    off: ['takeAll'],
    in: bounds({ keys: A, workers: 1, batches: 2, replies: [poison] }),
    finds: undefined,
    why: 'a round is counted from the highest that the log has, and the item is done by then',
  },
  {
    name: 'a round is stored before it is used',
    off: ['savedRound'],
    in: bounds({ keys: A, workers: 1, batches: 1, crash: 1, tracksIds: true, replies: [poison] }),
    finds: undefined,
    why: 'the log tells that the round has ended; what it did not see is sent again with another epoch',
  },
  {
    name: 'credit',
    off: ['credit'],
    in: bounds({ keys: AA, workers: 1, creditMax: 10, attemptsMax: 1, replies: [['BUSY'], ['BUSY']] }),
    finds: 'I9',
  },
  {
    name: 'credit outlives an owner',
    off: ['creditSaved'],
    in: bounds({ keys: AA, move: 1, creditMax: 10, attemptsMax: 1, replies: [['BUSY'], ['BUSY']] }),
    finds: 'I9',
    isSlow: true,
  },
]

import type { Plan } from '../../worker/deliver/plan.ts'

/** How often each fault may happen in a scenario. */
export const faults = [
  'crash', // a worker is killed
  'freeze', // a worker stops, and may go on later
  'lapse', // a living worker cannot extend its lease
  'rollback', // Redis is again what it was some writes ago
  'flush', // Redis loses everything
  'lostReply', // Redis has done it, and the answer does not arrive
  'move', // the leader moves the lane
  'groupLost', // Kafka forgets the group's offset
  'skipLookUp', // the log does not answer a takeover
  'coordinatorDies', // with a page of a retry batch in its hands, which may be handed over late
  'unexpel', // Redis loses an expel, and the lease is alive again
  'lostBeat', // the reply to a heartbeat does not arrive
  'lostInsertReply', // the log has taken rows, and the answer does not arrive
  'hang', // a request takes too long and is let pass
  'leaderDies', // another replica leads
  'leaderFreezes', // another replica leads, and the old one goes on
  'tick', // more time passes than the look-up's margin
  'spool', // an insert goes into the spool while the log is away
  'expire', // rows of an earlier time are gone from the log
  'takeWithoutExpel', // only with a safeguard off
] as const

export type Fault = (typeof faults)[number]

/** The size of a scenario. */
export interface Bounds extends Readonly<Record<Fault, number>> {
  /** A record for each letter, which is its key. */
  readonly keys: string
  readonly ordering: Plan['ordering']
  readonly workers: number
  /** What the endpoint may say of each record; of those that are not named, OK. */
  readonly replies: readonly (readonly ('OK' | 'BUSY' | 'BAD')[])[]
  /** After so many attempts BUSY gives up, if credit pays. */
  readonly attemptsMax: number
  readonly creditMax: number
  /** Parked deliveries, and removals, of one checkpoint. */
  readonly entriesMax: number
  /** Writes of Redis that a rollback may undo. */
  readonly rollbackDepth: number
  readonly batches: number
  /** Inserts of one worker at once. */
  readonly inserts: number
  readonly groupCommits: boolean
  /** Every identity that was used is remembered, and compared. */
  readonly tracksIds: boolean
}

const noFaults = Object.fromEntries(faults.map((fault) => [fault, 0])) as Record<Fault, number>

export const bounds = (of: Partial<Bounds>): Bounds => ({
  ...noFaults,
  ...{ keys: 'AB', ordering: 'KEY', workers: 2, replies: [], attemptsMax: 2, creditMax: 100, rollbackDepth: 2, entriesMax: 100 },
  ...{ batches: 0, inserts: 1, groupCommits: false, tracksIds: false },
  ...of,
})

/** Records of the same one go one after the other; undefined: nothing waits for anything. */
export const keyOf = ({ keys, ordering }: Pick<Bounds, 'keys' | 'ordering'>, offset: number): string | undefined =>
  ordering === 'UNORDERED' ? undefined : ordering === 'PARTITION' ? 'A' : keys[offset]

export const repliesOf = ({ replies }: Bounds, offset: number): readonly ('OK' | 'BUSY' | 'BAD')[] => replies[offset] ?? ['OK']

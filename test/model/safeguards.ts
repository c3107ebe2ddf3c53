/** What the protocol stands on. All on: the product. Off: a mutation, which the explorer should notice. */
export const safeguards = {
  claim: true, // a takeover writes its epoch before it reads
  epochEqual: true, // a checkpoint is refused unless its epoch is the stored one
  ownerEqual: true, // the same of its owner
  versionEqual: true, // the same of its version
  checkpointTwice: true, // the same checkpoint, sent twice, answers twice
  claimClearsClean: true, // a claim takes `clean` away
  cleanByRelease: true, // `clean` counts only with the version that START names
  settledOnly: true, // only what is durable in the log enters a checkpoint
  lookUp: true, // a takeover asks the log
  lookUpByWriter: true, // KEY: rows older than the last checkpoint's epoch are no ends
  lookUpParked: true, // a takeover asks for parked offsets below the cursor, too
  lookUpByRound: true, // a row ends only deliveries of its round or an earlier one
  newestEpoch: true, // KEY: an end does not count when an earlier record of its key was sent by a newer epoch
  keyPrefix: true, // KEY: an end does not count while an earlier record of its key is open
  keyReopen: true, // KEY: a new owner counts no end of a key of which it sends something earlier again
  ackInOrder: true, // rows' owners hear of them in the order of the rows
  endedRuns: true, // a takeover trusts what the checkpoint tells of ends above the cursor
  touchExpel: true, // a silent worker's lanes are taken only after its expel
  leaseMargin: true, // a worker stops by its own clock before it can be expelled
  missingLease: true, // a lease that is over and gone is not made anew
  insertMargin: true, // a dead worker's insert has landed, or never will, before the look-up
  spoolDrained: true, // a takeover waits until the spool is in the log
  spoolInbox: true, // what retry batches bring waits until the spool is in the log
  token: true, // an insert's token is never used for other rows
  drain: true, // a lane is released only when its rows are durable
  checkpointFirst: true, // a checkpoint before the first request of a new owner
  proves: true, // after Redis was away, every lane writes a checkpoint
  credit: true, // giving up is paid for
  creditSaved: true, // what is left to pay with outlives an owner
  epochClock: true, // a new epoch is above the clock, so also above what was forgotten
  newEpoch: true, // a refused worker gets the lane back with a new epoch only
  releasedByEpoch: true, // RELEASED of another epoch changes nothing
  term: true, // what a leader writes is refused when another term has begun
  leaderClock: true, // a leader that was frozen sees by its clock that it no longer leads
  grants: true, // an assignment is written down before it is told
  groupMetadata: true, // the group commit tells the cursor and what has not ended below it
  watermark: true, // a page of a retry batch that comes late is dropped
  pageSkipsEnded: true, // a page leaves out what has ended since
  doneByRound: true, // an item whose delivery has ended in a later round is not sent
  joinNewerRound: true, // an item joins only a delivery of a later round than its own
  takeAll: true, // what is taken from the inbox goes with all that its offset holds by then
  savedRound: true, // a new round is sent only when Redis knows it
}

export type Safeguard = keyof typeof safeguards
export type Safeguards = Readonly<Record<Safeguard, boolean>>

export const without = (...off: readonly Safeguard[]): Safeguards => ({
  ...safeguards,
  ...Object.fromEntries(off.map((name) => [name, false])),
})

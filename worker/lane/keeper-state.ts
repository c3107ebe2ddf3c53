import { LaneState as State } from '../../proto/gen/ferry/v1/lane_pb.ts'

// One lane that this worker holds, from its assignment to its release.
//
//   state    | does                                            | next
//   STARTING | waits for its definition, claims, asks the log, | RUNNING; LOST when refused; RELEASED when told to drain before
//            | writes a first checkpoint                       | it has begun to write, DRAINING after that
//   RUNNING  | reads, delivers, writes checkpoints             | DRAINING when told; LOST when a checkpoint is refused
//   DRAINING | reads nothing, sends nothing, waits for rows    | RELEASED after a last, clean checkpoint; LOST
//   RELEASED | nothing                                         | forgotten when the control plane has heard of it
//   LOST     | nothing; its requests are aborted               | forgotten when the control plane has heard of it

export const isHeld = (state: State): boolean => state === State.STARTING || state === State.RUNNING || state === State.DRAINING

/** hasLane: it has taken the lane over, and may have begun to write. */
export function afterDrain(state: State, hasLane: boolean): State {
  // Nothing was sent, and Redis has at most a claim of this epoch: the next owner asks the log.
  if (state === State.STARTING && !hasLane) return State.RELEASED
  return state === State.STARTING || state === State.RUNNING ? State.DRAINING : state
}

/** The first checkpoint was accepted. */
export const afterFirstCheckpoint = (state: State): State => (state === State.STARTING ? State.RUNNING : state)

/** A checkpoint was accepted; isClean: it was the last word, nothing of the lane is on its way. */
export const afterCheckpoint = (state: State, isClean: boolean): State =>
  isClean && state === State.DRAINING ? State.RELEASED : state

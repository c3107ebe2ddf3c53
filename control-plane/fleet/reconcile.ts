// Who holds a lane, as the leader sees it: one small state machine for each lane. A lane is given to a worker only from FREE, and
// FREE is reached only when nobody can be holding it: that is the whole safety of assignment.
//
// | state     | means                                     | X holds it (epoch e)       | X let go (epoch e)  | X has all told, without it | X expelled |
// |-----------|-------------------------------------------|----------------------------|---------------------|----------------------------|------------|
// | UNKNOWN   | a new leader has not read it yet          | -                          | -                   | -                          | -          |
// | INHERITED | Redis names its holder, not yet heard     | GIVEN (e is E) or LEAVING  | FREE when e is E    | LEAVING                    | FREE       |
// | FREE      | nobody holds it                           | GIVEN, or LEAVING when     | -                   | -                          | -          |
// |           |                                           | e is below another known   |                     |                            |            |
// | GRANTING  | chosen; not written down yet, not told    | -                          | -                   | -                          | FREE       |
// | GIVEN     | in the holder's list with its epoch E     | -                          | FREE when e is E    | -                          | FREE       |
// | LEAVING   | left out of the list, holder must let go  | -                          | FREE when e is E    | FREE when it works by a    | FREE       |
// |           |                                           |                            |                     | list without the lane      |            |
//
// A worker that was given a lane may begin with it some time later, so that it does not speak of a lane says nothing, until it works
// by a list that leaves the lane out.
// X is the lane's holder in all rows but FREE; what anybody else says of it changes nothing. `let go` is RELEASED or LOST.
// FREE -> GRANTING -> GIVEN and GIVEN -> LEAVING are the leader's own decisions. From GRANTING back to FREE when writing failed.

export type Holding =
  | { readonly state: 'UNKNOWN' }
  | { readonly state: 'INHERITED'; readonly instance: string; readonly epoch: number }
  | { readonly state: 'FREE'; readonly releasedVersion: number }
  | { readonly state: 'GRANTING'; readonly instance: string; readonly epoch: number; readonly releasedVersion: number }
  | {
      readonly state: 'GIVEN'
      readonly instance: string
      readonly epoch: number
      readonly releasedVersion: number
    }
  | {
      readonly state: 'LEAVING'
      readonly instance: string
      readonly epoch: number
      /** Version of the instance's list that first left it out. */
      readonly sinceVersion: number
    }

/** What a worker says of one lane. */
export type Word =
  | { readonly says: 'HOLDS'; readonly epoch: number }
  | { readonly says: 'RELEASED'; readonly epoch: number; readonly releasedVersion: number }
  | { readonly says: 'LOST'; readonly epoch: number }

const free = (releasedVersion: number): Holding => ({ state: 'FREE', releasedVersion })

/** `highestEpoch` is the highest that anybody has shown for the lane; `nextVersion` that of the instance's next list. */
export function afterWord(holding: Holding, instance: string, word: Word, highestEpoch: number, nextVersion: number): Holding {
  switch (holding.state) {
    case 'UNKNOWN':
    case 'GRANTING':
      return holding
    case 'FREE':
      if (word.says !== 'HOLDS') return holding
      return held(instance, word.epoch, word.epoch >= highestEpoch, nextVersion)
    default:
      if (holding.instance !== instance) return holding
      if (word.says === 'HOLDS') {
        return holding.state === 'INHERITED' ? held(instance, word.epoch, word.epoch === holding.epoch, nextVersion) : holding
      }
      // Another epoch's release is an old story: the lane has been given since.
      if (word.epoch !== holding.epoch) return holding
      return free(word.says === 'RELEASED' ? word.releasedVersion : 0)
  }
}

const held = (instance: string, epoch: number, mayStay: boolean, sinceVersion: number): Holding =>
  mayStay ? { state: 'GIVEN', instance, epoch, releasedVersion: 0 } : { state: 'LEAVING', instance, epoch, sinceVersion }

/**
 * The instance has told all lanes that it holds, working by its list of `appliedVersion`, and this one is not among them.
 * `nextVersion` is that of its next list, which will leave an inherited lane out.
 */
export function afterSilenceAbout(holding: Holding, instance: string, appliedVersion: number, nextVersion: number): Holding {
  if (!('instance' in holding) || holding.instance !== instance) return holding
  if (holding.state === 'INHERITED') return { state: 'LEAVING', instance, epoch: holding.epoch, sinceVersion: nextVersion }
  return holding.state === 'LEAVING' && appliedVersion >= holding.sinceVersion ? free(0) : holding
}

export function afterExpel(holding: Holding, instance: string): Holding {
  return 'instance' in holding && holding.instance === instance ? free(0) : holding
}

/** Leaves a lane out of its holder's list from `nextVersion` on. A lane whose holder is not heard yet stays: it cannot be told. */
export function leaveOut(holding: Holding, nextVersion: number): Holding {
  if (holding.state !== 'GIVEN') return holding
  return { state: 'LEAVING', instance: holding.instance, epoch: holding.epoch, sinceVersion: nextVersion }
}

/** Who may be sending for this lane right now. */
export const holderOf = (holding: Holding): string | undefined => ('instance' in holding ? holding.instance : undefined)

/**
 * The epoch of the next assignment: above every one seen, and at least the clock, so that it is also above what was forgotten.
 * Undefined when there is none left that a double holds exactly: then what Redis or a worker shows is no epoch.
 */
export function nextEpoch(nowMs: number, highestEpoch: number): number | undefined {
  const epoch = Math.max(Math.floor(nowMs), highestEpoch + 1)
  return epoch < Number.MAX_SAFE_INTEGER ? epoch : undefined
}

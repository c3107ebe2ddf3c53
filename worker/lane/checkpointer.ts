import { writeRuns } from '../../runtime/lane-keys.ts'
import { type Draft, type DraftLimits, draftCheckpoint, draftLimits, type SavedPosition } from './checkpoint-draft.ts'
import type { Lane } from './lane.ts'
import type { LaneState } from './lane-state.ts'

// A lane's checkpoints, one at a time.
//
//   a checkpoint is | by                        | then
//   drafted         | the lane's memory now     | sent
//   accepted        | Redis                     | Redis knows it: the next one says what has changed since
//   refused         | Redis                     | the lane is another's, or Redis has lost writes: nothing is sent any more
//   unanswered      | nobody                    | the SAME is sent again, until one of the above: it may have been accepted

export class Checkpointer {
  /** Inbox fields that the next checkpoint removes. */
  taken: string[] = []
  readonly #state: Pick<LaneState, 'checkpoint'>
  readonly #limits: DraftLimits
  #saved: SavedPosition | undefined
  #pending: Draft | undefined
  #writing = false
  #forced = false
  #behind = false

  constructor(state: Pick<LaneState, 'checkpoint'>, limits: DraftLimits = draftLimits) {
    this.#state = state
    this.#limits = limits
  }

  /** Redis may have lost writes: the next checkpoint is written although nothing has changed, and will be refused then. */
  prove(): void {
    this.#forced = true
  }

  /** The last checkpoint was too small for all that there was to say. */
  get isBehind(): boolean {
    return this.#behind
  }

  get isWriting(): boolean {
    return this.#writing
  }

  /**
   * Writes what Redis does not know, or the checkpoint that is not answered yet; answers whether a clean one was accepted.
   * `isFinished` says whether the lane's work is over, so that a new draft may be clean. Throws RefusedError; any other error
   * means that Redis did not answer. One call at a time: ask isWriting before.
   */
  async write(lane: Lane, isFinished: boolean, nowMs: number): Promise<boolean> {
    if (this.#writing) throw new Error('a checkpoint is being written')
    this.#writing = true
    try {
      const draft = this.next(lane, isFinished, nowMs)
      if (draft === undefined) return false
      await this.#state.checkpoint(draft.checkpoint)
      this.accepted(lane, draft)
      return draft.checkpoint.clean
    } finally {
      this.#writing = false
    }
  }

  /** What is to be sent now: the draft that is not answered yet, or a new one when Redis does not know it all. */
  next(lane: Lane, isFinished: boolean, nowMs: number): Draft | undefined {
    this.#pending ??= this.#draft(lane, isFinished, nowMs)
    return this.#pending
  }

  #draft(lane: Lane, isFinished: boolean, nowMs: number): Draft | undefined {
    lane.known.forgetBelow(lane.window.tracker.next)
    // The first one is written in any case: from then on Redis and this memory agree, whatever the old owner still does.
    const saved = this.#saved ?? takenOver(lane)
    const forced = this.#forced || this.#saved === undefined
    const clean = isFinished && this.#saved !== undefined
    const draft = draftCheckpoint(lane, saved, this.taken, { clean, forced }, nowMs, this.#limits)
    if (draft === undefined) return undefined
    this.#forced = false
    if (draft.whole) this.taken = []
    return draft
  }

  /** Redis has taken the draft. */
  accepted(lane: Lane, draft: Draft): void {
    const { checkpoint, included, whole } = draft
    this.#pending = undefined
    this.#saved = { cursor: checkpoint.cursor, ended: checkpoint.ended }
    this.#behind = !whole
    for (const { entry, generation } of included) lane.parking.storedAs(entry, generation)
    for (const offset of checkpoint.removed) lane.parking.forgotten(offset)
  }
}

const takenOver = ({ window, known }: Lane): SavedPosition => {
  const { cursor } = window.tracker
  return { cursor, ended: writeRuns(known.unread(cursor)) }
}

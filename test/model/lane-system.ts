import { batchSteps } from './batch-steps.ts'
import { type Bounds, faults } from './bounds.ts'
import { type Context, type Go, Turn } from './context.ts'
import { endpointSteps } from './endpoint-steps.ts'
import type { System } from './explore.ts'
import { always, atRest } from './invariants.ts'
import { laneSettingOf } from './lane-setting.ts'
import { laneSteps } from './lane-steps.ts'
import { leaderSteps } from './leader-steps.ts'
import { logSteps } from './log-steps.ts'
import { Owners } from './owners.ts'
import type { Safeguards } from './safeguards.ts'
import { firstOf, type Leader, left, type State } from './state.ts'
import { storeSteps } from './store-steps.ts'
import { workerSteps } from './worker-steps.ts'

/** One lane with all that is around it: what an explorer explores. */
export class LaneSystem implements System {
  readonly #context: Context

  constructor(b: Bounds, on: Safeguards) {
    this.#context = { b, on, owners: new Owners(laneSettingOf(b, on)) }
  }

  /** Memories of owners that were met. */
  get owners(): number {
    return this.#context.owners.count
  }

  first(): string {
    return JSON.stringify(firstOf(this.#context.b))
  }

  atRest(state: string): string {
    return atRest(JSON.parse(state) as State, this.#context)
  }

  steps(text: string, emit: (name: string, next: string, wrong: string, isFault: boolean) => void): void {
    const context = this.#context
    const s = JSON.parse(text) as State
    const go: Go = (name, change, fault) => {
      if (fault !== undefined && left(s, fault) <= 0) return
      const turn = new Turn(JSON.parse(text) as State, context)
      if (fault !== undefined) turn.s.B[faults.indexOf(fault)]!--
      change(turn)
      remember(turn.s, s, context.b, fault === 'rollback')
      number(turn.s)
      turn.blame(always(turn.s, context))
      emit(name, JSON.stringify(turn.s), turn.wrong, fault !== undefined)
    }
    leaderSteps(context, s, go)
    for (let i = 0; i < s.W.length; i++) {
      workerSteps(context, s, i, go)
      laneSteps(context, s, i, go)
    }
    endpointSteps(context, s, go)
    logSteps(context, s, go)
    batchSteps(context, s, go)
    storeSteps(s, go)
  }
}

/** What a rollback may bring back: only while there is one to come. */
function remember(after: State, before: State, { rollbackDepth }: Bounds, isRollback: boolean): void {
  if (left(after, 'rollback') <= 0) after.H = []
  else if (!isRollback && JSON.stringify(after.R) !== JSON.stringify(before.R))
    after.H = [before.R, ...before.H].slice(0, rollbackDepth)
}

/** Versions of lists are compared only: they are kept small, so that equal states are equal. */
function number({ L, Z, W }: State): void {
  const leaders = Z === 0 ? [L] : [L, Z]
  const since = ({ h }: Leader): number => (h.state === 'LEAVING' ? h.sinceVersion : 0)
  const versions = [...new Set([0, ...leaders.flatMap((each) => [each.v, since(each)]), ...W.map(({ ap }) => ap)])].sort(
    (a, b) => a - b,
  )
  for (const leader of leaders) {
    leader.v = versions.indexOf(leader.v)
    if (leader.h.state === 'LEAVING') leader.h = { ...leader.h, sinceVersion: versions.indexOf(since(leader)) }
  }
  for (const w of W) w.ap = versions.indexOf(w.ap)
}

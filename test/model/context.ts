import type { Bounds, Fault } from './bounds.ts'
import type { Owners } from './owners.ts'
import type { Safeguards } from './safeguards.ts'
import type { State } from './state.ts'

/** What a scenario's steps are made with. */
export interface Context {
  readonly b: Bounds
  readonly on: Safeguards
  readonly owners: Owners
}

/** A step in the making: the state that it changes, and what is found to be wrong on the way. */
export class Turn {
  wrong = ''
  readonly s: State
  readonly context: Context

  constructor(s: State, context: Context) {
    this.s = s
    this.context = context
  }

  /** The first thing that is wrong counts. */
  blame(what: string): void {
    this.wrong ||= what
  }
}

/** Offers a step; `change` is called when it is tried. A fault that is used up is not offered. */
export type Go = (name: string, change: (turn: Turn) => void, fault?: Fault) => void

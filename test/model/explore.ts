import { findStuck } from './find-stuck.ts'
import { IntList } from './int-list.ts'
import { Seen } from './seen.ts'

/** What is explored: states are texts, so that equal ones are found. */
export interface System {
  first(): string
  /** Tells every step out of the state: its name, where it leads, what is wrong there ('' nothing), whether it is a fault. */
  steps(state: string, emit: (name: string, next: string, wrong: string, isFault: boolean) => void): void
  /** What is wrong with a state in which nothing happens any more by itself; '' when it is a good end. */
  atRest(state: string): string
}

export interface ExploreLimits {
  readonly statesMax: number
  readonly timeMsMax: number
}

export interface Verdict {
  readonly states: number
  readonly steps: number
  readonly depth: number
  readonly ends: number
  /** Every reachable state was seen, and from each a good end can be reached without further faults. */
  readonly isComplete: boolean
  /** '' when none was found. */
  readonly violation: string
  /** The shortest way to the violation. */
  readonly trace: readonly string[]
  readonly tookMs: number
}

/** Tries all interleavings breadth first, until a violation, or until there is nothing new, or a limit is met. */
export function explore(system: System, limits: ExploreLimits): Verdict {
  return new Exploration(system).run(limits)
}

class Exploration {
  readonly #system: System
  readonly #seen = new Seen()
  /** By state: where it was first reached from, and by which of its steps. */
  readonly #parent = new IntList()
  readonly #step = new IntList()
  /** Edges that are no faults. */
  readonly #from = new IntList()
  readonly #to = new IntList()
  readonly #good: number[] = []
  #steps = 0
  #depth = 0
  #next: string[] = []
  readonly #startedMs = performance.now()

  constructor(system: System) {
    this.#system = system
  }

  run(limits: ExploreLimits): Verdict {
    const first = this.#system.first()
    this.#seen.put(first)
    this.#parent.push(-1)
    this.#step.push(-1)
    let base = 0
    for (let level = [first]; level.length > 0; level = this.#next) {
      this.#next = []
      for (let k = 0; k < level.length; k++) {
        const found = this.#expand(level[k]!, base + k)
        level[k] = ''
        if (found !== undefined) return this.#verdict(found.wrong, found.path, false)
        if (k % 64 === 0 && performance.now() - this.#startedMs > limits.timeMsMax) return this.#verdict('', [], false)
      }
      base += level.length
      this.#depth++
      if (this.#seen.count > limits.statesMax) return this.#verdict('', [], false)
    }
    const [stuck] = findStuck(this.#seen.count, this.#from, this.#to, this.#good)
    if (stuck === undefined) return this.#verdict('', [], true)
    return this.#verdict('I2: no good end can be reached any more', this.#path(stuck, -1), false)
  }

  /** Takes every step out of a state; answers the first thing that is wrong. */
  #expand(state: string, id: number): { wrong: string; path: number[] } | undefined {
    let ordinal = 0
    let isCalm = false
    let found: { wrong: string; ordinal: number } | undefined
    this.#system.steps(state, (_name, next, wrong, isFault) => {
      const at = this.#reach(id, ordinal, next)
      // A step that changes nothing is none.
      if (at !== id) this.#steps++
      if (!isFault && at !== id) {
        isCalm = true
        this.#from.push(id)
        this.#to.push(at)
      }
      if (wrong !== '') found ??= { wrong, ordinal }
      ordinal++
    })
    if (found !== undefined) return { wrong: found.wrong, path: this.#path(id, found.ordinal) }
    if (isCalm) return undefined
    const wrong = this.#system.atRest(state)
    if (wrong !== '') return { wrong, path: this.#path(id, -1) }
    this.#good.push(id)
    return undefined
  }

  #reach(from: number, ordinal: number, state: string): number {
    const known = this.#seen.put(state)
    if (known >= 0) return known
    this.#parent.push(from)
    this.#step.push(ordinal)
    this.#next.push(state)
    return -known - 1
  }

  #path(state: number, last: number): number[] {
    const path = last < 0 ? [] : [last]
    for (let at = state; this.#parent.at(at) >= 0; at = this.#parent.at(at)) path.unshift(this.#step.at(at))
    return path
  }

  #verdict(violation: string, path: readonly number[], isComplete: boolean): Verdict {
    return {
      ...{ states: this.#seen.count, steps: this.#steps, depth: this.#depth, ends: this.#good.length },
      ...{ isComplete, violation, trace: this.#retrace(path), tookMs: Math.round(performance.now() - this.#startedMs) },
    }
  }

  /** The names of the steps of a path. */
  #retrace(path: readonly number[]): string[] {
    let state = this.#system.first()
    return path.map((wanted) => {
      let ordinal = 0
      let taken = { name: '', next: state }
      this.#system.steps(state, (name, next) => {
        if (ordinal++ === wanted) taken = { name, next }
      })
      state = taken.next
      return taken.name
    })
  }
}

import type { Logger } from '../../runtime/log.ts'
import { FleetError, type FleetErrorCode } from './fleet-error.ts'
import type { FleetTally } from './fleet-tally.ts'
import { type FoundLane, type PartitionsOf, survey } from './inventory.ts'
import type { RegisterParts } from './register-lanes.ts'
import { describeUnanswered } from './topic-source.ts'
import type { ViewedUseCase } from './use-case-view.ts'

/** Why lanes of a use case cannot be found or registered now. */
export interface SurveyProblem {
  readonly code: FleetErrorCode
  readonly message: string
}

export interface SurveysOptions extends RegisterParts {
  readonly log: Logger
  readonly monotonicMs: () => number
  readonly intervalMs: number
  readonly tally: Pick<FleetTally, 'surveys'>
  /** Lanes of the use case that the leader has. */
  readonly known: (uid: string) => ReadonlySet<string>
  readonly onFound: (useCase: ViewedUseCase, lanes: readonly FoundLane[]) => void
}

interface State {
  nextAtMs: number
  problem: SurveyProblem | undefined
  undecided: ReadonlySet<number>
  /** By partition, why Kafka does not say where its lane begins. */
  unanswered: ReadonlyMap<number, string>
  /** All its partitions were known at the last survey. */
  isComplete: boolean
}

/** After a failure the next survey is sooner: what is away comes back. */
const retryMs = 1000
const useCasesAtOnce = 4

/** Looks at each use case's topic from time to time, and at a new use case's at once. One round at a time of each Kafka cluster: one that is away holds up no other. */
export class Surveys {
  readonly #options: SurveysOptions
  readonly #states = new Map<string, State>()
  readonly #rounds = new Map<string, Promise<void>>()

  constructor(options: SurveysOptions) {
    this.#options = options
  }

  problemOf(uid: string): SurveyProblem | undefined {
    return this.#states.get(uid)?.problem
  }

  /** Partitions of which only an operator knows where they go on. */
  undecidedOf(uid: string): ReadonlySet<number> {
    return this.#states.get(uid)?.undecided ?? new Set()
  }

  /** New partitions whose leader does not say what they have, and why. */
  unansweredOf(uid: string): ReadonlyMap<number, string> {
    return this.#states.get(uid)?.unanswered ?? new Map()
  }

  isComplete(uid: string): boolean {
    return this.#states.get(uid)?.isComplete ?? false
  }

  /** Starts a round over those that are due, for each cluster that has none on its way. */
  start(useCases: ReadonlyMap<string, ViewedUseCase>): void {
    for (const uid of this.#states.keys()) if (!useCases.has(uid)) this.#states.delete(uid)
    const nowMs = this.#options.monotonicMs()
    const due = [...useCases.values()].filter((useCase) => nowMs >= (this.#states.get(useCase.uid)?.nextAtMs ?? 0))
    for (const [cluster, group] of Map.groupBy(due, (useCase) => useCase.cluster)) {
      if (this.#rounds.has(cluster)) continue
      const round = this.#run(group).finally(() => this.#rounds.delete(cluster))
      this.#rounds.set(cluster, round)
    }
  }

  /** Resolves when no round is on its way. */
  async idle(): Promise<void> {
    await Promise.all(this.#rounds.values())
  }

  async #run(due: readonly ViewedUseCase[]): Promise<void> {
    const asked = new Map<string, ReturnType<PartitionsOf>>()
    const partitionsOf: PartitionsOf = (cluster, topic) => {
      const key = `${cluster}/${topic}`
      const answer = asked.get(key) ?? this.#options.source.partitions(cluster, topic)
      asked.set(key, answer)
      return answer
    }
    for (let at = 0; at < due.length; at += useCasesAtOnce) {
      await Promise.all(due.slice(at, at + useCasesAtOnce).map((useCase) => this.#one(useCase, partitionsOf)))
    }
  }

  async #one(useCase: ViewedUseCase, partitionsOf: PartitionsOf): Promise<void> {
    const { known, onFound, intervalMs, monotonicMs, log, tally } = this.#options
    const before = this.#states.get(useCase.uid)
    const state: State = { nextAtMs: 0, problem: undefined, undecided: new Set(), unanswered: new Map(), isComplete: true }
    try {
      const work = () => survey(useCase, known(useCase.uid), partitionsOf, this.#options)
      const { lanes, undecided, unanswered, hasTopic } = await tally.surveys.time(work)
      if (lanes.length > 0) onFound(useCase, lanes)
      state.undecided = new Set(undecided.map((lane) => lane.partition))
      if (!hasTopic) {
        const message = `there is no topic ${useCase.topic} in Kafka cluster ${useCase.cluster}: create it, or delete the use case`
        state.problem = { code: 'SOURCE_UNAVAILABLE', message }
      }
      state.unanswered = unanswered
      state.isComplete = unanswered.size === 0
      state.nextAtMs = monotonicMs() + (state.isComplete ? intervalMs : Math.min(intervalMs, retryMs))
    } catch (error) {
      const code = error instanceof FleetError ? error.code : 'STATE_UNAVAILABLE'
      state.problem = { code, message: error instanceof Error ? error.message : String(error) }
      state.undecided = before?.undecided ?? new Set()
      state.unanswered = before?.unanswered ?? new Map()
      state.isComplete = before?.isComplete ?? false
      state.nextAtMs = monotonicMs() + retryMs
    }
    this.#states.set(useCase.uid, state)
    this.#tell(useCase, before, state, log)
  }

  #tell(useCase: ViewedUseCase, before: State | undefined, state: State, log: Logger): void {
    const { name, topic } = useCase
    if (state.problem !== undefined && before?.problem?.message !== state.problem.message) {
      log.warn({ useCase: name, topic, problem: state.problem.message }, 'fleet: lanes cannot be looked for now, trying again')
    }
    if (state.problem === undefined && before?.problem !== undefined)
      log.info({ useCase: name, topic }, 'fleet: lanes are found again')
    if (state.unanswered.size > 0 && before?.unanswered.size !== state.unanswered.size)
      log.warn(
        { useCase: name, topic, problem: describeUnanswered(topic, state.unanswered) },
        'fleet: some lanes cannot begin yet',
      )
    for (const partition of state.undecided) {
      if (before?.undecided.has(partition)) continue
      log.error(
        { useCase: name, topic, partition, group: useCase.group },
        `fleet: a lane needs a decision. ${decisionText(useCase.group)}`,
      )
    }
  }
}

export const decisionText = (group: string): string =>
  `The log knows this lane, and neither Redis nor Kafka knows how far it was: set an offset of Kafka group ${group} for its partition, and it goes on from there`

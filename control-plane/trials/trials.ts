import { randomUUID } from 'node:crypto'
import { create, toBinary } from '@bufbuild/protobuf'
import { durationFromMs } from '@bufbuild/protobuf/wkt'
import type { UseCase } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { type AnswerTrialRequest, type Trial, TrialSchema } from '../../proto/gen/ferry/v1/worker_service_pb.ts'
import { FleetError } from '../fleet/fleet-error.ts'

// A trial on the leader:
//
//   state    | event                                    | next
//   WAITING  | a worker's heartbeat                     | GIVEN: its reply has the trial
//   GIVEN    | its answer                               | done
//   GIVEN    | the worker says that another may do it   | WAITING, for another
//   any      | the time is over                         | failed
//
// It is given to one worker only, since it may send a request: an answer that is lost is not asked for again.

export type Wanted = Trial['wanted']
export type TrialAnswer = Exclude<AnswerTrialRequest['answer'], { case: 'problem' | undefined }>

export interface TrialsOptions {
  /** Trials that may be open at once. */
  readonly openMax: number
  /** Bytes of trials in one heartbeat's reply; one goes always. */
  readonly replyBytesMax: number
}

interface Open {
  readonly trial: Trial
  readonly bytes: number
  /** Workers that have it, or had it and could not do it; the last has it now, while it is given. */
  readonly workers: Set<string>
  isGiven: boolean
  /** What the last worker that could not do it has said. */
  problem: string | undefined
  readonly done: (answer: TrialAnswer) => void
  readonly failed: (error: FleetError) => void
}

/** Definitions that somebody wants to see tried, until a worker has done it. In memory: whoever waits does so in a call. */
export class Trials {
  readonly #options: TrialsOptions
  readonly #open = new Map<string, Open>()

  constructor(options: TrialsOptions) {
    this.#options = options
  }

  /** Waits for a worker, and for its answer. Rejects with a FleetError. */
  async ask(useCase: UseCase, wanted: Wanted, timeoutMs: number): Promise<TrialAnswer> {
    const { openMax } = this.#options
    if (this.#open.size >= openMax) {
      throw new FleetError(
        'LIMIT_EXCEEDED',
        `${openMax} previews and tests are on their way, as many as may be: call again later`,
      )
    }
    const trial = create(TrialSchema, { id: randomUUID(), useCase, wanted, timeout: durationFromMs(timeoutMs) })
    let timer: NodeJS.Timeout | undefined
    try {
      return await new Promise((done, failed) => {
        const open: Open = {
          ...{ trial, bytes: toBinary(TrialSchema, trial).length, workers: new Set<string>(), isGiven: false },
          ...{ problem: undefined, done, failed },
        }
        this.#open.set(trial.id, open)
        timer = setTimeout(() => failed(tooLate(open, timeoutMs)), timeoutMs)
      })
    } finally {
      clearTimeout(timer)
      this.#open.delete(trial.id)
    }
  }

  /** What a worker is to do now. */
  take(worker: string): Trial[] {
    const taken: Trial[] = []
    let bytes = 0
    for (const open of this.#open.values()) {
      if (open.isGiven || open.workers.has(worker)) continue
      bytes += open.bytes
      if (taken.length > 0 && bytes > this.#options.replyBytesMax) break
      open.isGiven = true
      open.workers.add(worker)
      taken.push(open.trial)
    }
    return taken
  }

  /** Takes a worker's answer; one that nobody waits for any more is dropped. */
  answer({ id, answer, otherWorker }: AnswerTrialRequest): void {
    const open = this.#open.get(id)
    if (open === undefined) return
    if (answer.case === 'preview' || answer.case === 'test') open.done(answer)
    else if (otherWorker) Object.assign(open, { isGiven: false, problem: answer.value })
    else open.failed(new FleetError('TRIAL_FAILED', answer.value ?? 'the worker has not said why'))
  }
}

function tooLate({ isGiven, problem, trial }: Open, timeoutMs: number): FleetError {
  if (!isGiven && problem !== undefined) return new FleetError('TRIAL_FAILED', problem)
  if (!isGiven) return new FleetError('NO_WORKER', `no worker has asked for work within ${timeoutMs} ms`)
  const sent = trial.wanted.case === 'test' ? '; the request may have been sent' : ''
  return new FleetError('TRIAL_TIMEOUT', `the worker has not answered within ${timeoutMs} ms${sent}`)
}

import { TransformError } from '../transform/transform-error.ts'
import { Evaluator, type EvaluatorDied, type EvaluatorOptions } from './evaluator.ts'
import { type Batch, type Job, JobQueue } from './job-queue.ts'

// An evaluation:
//
//   WAITING  -> a process is free                         -> GIVEN, with others of its expression
//   GIVEN    -> answered                                  -> done
//   GIVEN    -> the process's turn is over                -> WAITING, as the first
//   GIVEN    -> the process has died, or does not answer  -> WAITING, and goes alone from now on
//   GIVEN, alone, and the process dies a second time      -> failed: this record is to blame

export interface JsonataOptions extends EvaluatorOptions {
  readonly processes: number
  readonly log: { warn(fields: object, message: string): void }
}

export const defaultJsonataLimits = {
  timeoutMs: 1000,
  depthMax: 300,
  listMax: 100_000,
  charsMax: 16 << 20,
  memoryBytesMax: 128 << 20,
}

/** What can evaluate JSONata. */
export interface JsonataEvaluation {
  /** JSON to JSON. Rejects with a TransformError that says what is wrong with the record or the expression. */
  evaluate(expression: string, text: string): Promise<string>
}

const BATCH_MAX = 64
const BATCH_CHARS_MAX = 1 << 20
const SLICE_MS = 5
const DEATHS_MAX = 2
/** After a process that did not even start. */
const START_AGAIN_MS = 1000

/** Evaluates JSONata in processes of its own, which start when they are first needed. Use cases share them by time. */
export class Jsonata implements JsonataEvaluation {
  readonly #options: JsonataOptions
  readonly #queue = new JobQueue(BATCH_MAX, BATCH_CHARS_MAX)
  readonly #idle: Evaluator[] = []
  readonly #all = new Set<Evaluator>()
  #restsUntil = 0
  #willPump = false
  #isClosed = false

  constructor(options: JsonataOptions) {
    this.#options = options
  }

  evaluate(expression: string, text: string): Promise<string> {
    return new Promise((done, failed) => {
      this.#queue.add(expression, { text, done, failed, deaths: 0, isSuspect: false })
      if (this.#willPump) return
      this.#willPump = true
      // With all that is asked for in this turn.
      queueMicrotask(() => {
        this.#willPump = false
        this.#pump()
      })
    })
  }

  close(): void {
    this.#isClosed = true
    for (const each of this.#all) each.close()
  }

  #pump(): void {
    while (!this.#queue.isEmpty && !this.#isClosed) {
      const evaluator = this.#takeIdle() ?? this.#start()
      if (evaluator === undefined) return
      void this.#run(evaluator, this.#queue.take()!)
    }
  }

  #takeIdle(): Evaluator | undefined {
    let evaluator = this.#idle.pop()
    while (evaluator?.isAlive === false) {
      this.#all.delete(evaluator)
      evaluator = this.#idle.pop()
    }
    return evaluator
  }

  #start(): Evaluator | undefined {
    const restMs = this.#restsUntil - performance.now()
    if (this.#all.size >= this.#options.processes || restMs > 0) {
      if (restMs > 0 && this.#all.size === 0) setTimeout(() => this.#pump(), restMs).unref()
      return undefined
    }
    const evaluator = new Evaluator(this.#options)
    this.#all.add(evaluator)
    return evaluator
  }

  async #run(evaluator: Evaluator, batch: Batch): Promise<void> {
    const { expression, jobs } = batch
    try {
      const texts = jobs.map(({ text }) => text)
      const { results, spentMs } = await evaluator.evaluate({ expression, texts, sliceMs: SLICE_MS })
      for (const [at, result] of results.entries()) {
        if ('text' in result) jobs[at]!.done(result.text)
        else jobs[at]!.failed(new TransformError(result.error))
      }
      this.#queue.putBack(batch, jobs.slice(results.length))
      this.#queue.spend(expression, spentMs)
      this.#idle.push(evaluator)
    } catch (error) {
      this.#all.delete(evaluator)
      this.#lost(batch, error as EvaluatorDied)
    }
    this.#pump()
  }

  #lost(batch: Batch, error: EvaluatorDied): void {
    if (this.#isClosed) return
    const { expression, jobs } = batch
    this.#options.log.warn({ problem: error.message, records: jobs.length }, 'jsonata: a process is lost, and starts again')
    if (error.isStart) this.#restsUntil = performance.now() + START_AGAIN_MS
    else if (jobs.length === 1) jobs[0]!.deaths++
    const again = jobs.filter((job) => job.deaths < DEATHS_MAX || !this.#blame(job, error))
    for (const job of again) job.isSuspect ||= !error.isStart
    this.#queue.putBack(batch, again)
    this.#queue.spend(expression, error.afterMs)
  }

  #blame(job: Job, { isLate }: EvaluatorDied): true {
    const { timeoutMs, memoryBytesMax } = this.#options
    const limit = isLate ? `longer than ${timeoutMs} ms` : `more than ${memoryBytesMax >> 20} MiB of memory`
    job.failed(new TransformError(`the expression takes ${limit}`))
    return true
  }
}

import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Evaluate, Evaluations, EvaluatorLimits } from './evaluator-messages.ts'

export interface EvaluatorOptions extends EvaluatorLimits {
  /** Of its heap. */
  readonly memoryBytesMax: number
}

/** An evaluation that the expression's own limits should have ended is ended from outside after so long more. */
const PATIENCE_MS = 2000
const START_MS_MAX = 20_000
const MIB = 1 << 20

const main = fileURLToPath(new URL('./evaluator-main.ts', import.meta.url))
const code = fileURLToPath(new URL('../../', import.meta.url))

/** Why there is no answer. */
export class EvaluatorDied extends Error {
  override readonly name = 'EvaluatorDied'
  readonly isLate: boolean
  /** It has never been ready: no evaluation is to blame. */
  readonly isStart: boolean
  readonly afterMs: number
  constructor(message: string, isLate: boolean, isStart: boolean, afterMs: number) {
    super(message)
    this.isLate = isLate
    this.isStart = isStart
    this.afterMs = afterMs
  }
}

/** One process that evaluates JSONata. A process of its own, because an expression can take more memory than a thread's limits hold off: then Node ends the whole process. */
export class Evaluator {
  readonly #options: EvaluatorOptions
  readonly #child: ChildProcess
  readonly #started: Promise<unknown>
  #heard: (message: unknown) => void = () => {}
  #died: (error: EvaluatorDied) => void = () => {}
  #isReady = false
  #askedAt = performance.now()
  isAlive = true

  constructor(options: EvaluatorOptions) {
    const { memoryBytesMax, timeoutMs, depthMax, listMax, charsMax } = options
    this.#options = options
    this.#child = fork(main, [JSON.stringify({ timeoutMs, depthMax, listMax, charsMax } satisfies EvaluatorLimits)], {
      env: {},
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
      execArgv: [
        `--max-old-space-size=${Math.ceil(memoryBytesMax / MIB)}`,
        '--disallow-code-generation-from-strings',
        ...['--permission', '--allow-worker', `--allow-fs-read=${code}`],
      ],
    })
    this.#child.on('message', (message) => this.#heard(message))
    this.#child.on('exit', (exitCode, signal) => this.#end(`it ended with ${signal ?? exitCode}`, false))
    this.#child.on('error', (error) => this.#end(error.message, false))
    // It keeps nobody alive.
    this.#child.unref()
    this.#child.channel?.unref()
    this.#started = this.#answer(START_MS_MAX)
    this.#started.catch(() => {})
  }

  /** One call at a time. Rejects with EvaluatorDied; then it is of no use any more. */
  async evaluate(request: Evaluate): Promise<Evaluations> {
    await this.#started
    this.#isReady = true
    const answer = this.#answer(this.#options.timeoutMs + request.sliceMs + PATIENCE_MS)
    this.#child.send(request, (error) => {
      if (error !== null) this.#end(error.message, false)
    })
    return (await answer) as Evaluations
  }

  close(): void {
    this.#end('it was closed', false)
  }

  async #answer(timeoutMs: number): Promise<unknown> {
    this.#askedAt = performance.now()
    if (!this.isAlive) throw this.#death('it is not there any more', false)
    const timer = setTimeout(() => this.#end(`it has not answered for ${timeoutMs} ms`, true), timeoutMs)
    try {
      return await new Promise<unknown>((heard, died) => {
        this.#heard = heard
        this.#died = died
      })
    } finally {
      clearTimeout(timer)
    }
  }

  #end(message: string, isLate: boolean): void {
    if (!this.isAlive) return
    this.isAlive = false
    this.#child.kill('SIGKILL')
    this.#died(this.#death(message, isLate))
  }

  #death(message: string, isLate: boolean): EvaluatorDied {
    return new EvaluatorDied(message, isLate, !this.#isReady, performance.now() - this.#askedAt)
  }
}

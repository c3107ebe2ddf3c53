import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync, statSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { guardChild } from './guard-child.ts'
import { StackError } from './stack-error.ts'

export interface PartSpec {
  readonly name: 'kafka' | 'kafka2' | 'redis' | 'clickhouse'
  readonly port: number
  readonly command: string
  readonly args: readonly string[]
  /** Takes what the process prints, of all its lives. */
  readonly logFile: string
  /** Asked again and again after a start, with what the process has printed since. May not trust the port: it can be another's. */
  readonly isReady: (printed: string) => boolean | Promise<boolean>
  /** Told when the process ends and nobody had asked it to. */
  readonly onDeath: (message: string) => void
}

const startMsMax = 60_000
const stopMsMax = 20_000
const pollMs = 25
const lastWordsMax = 20

/** One process of the stack, over all its lives: the same port and the same data after every restart. */
export class Part {
  readonly #spec: PartSpec
  #child: ChildProcess | undefined
  #ended: Promise<void> = Promise.resolve()
  #mayEnd = true

  constructor(spec: PartSpec) {
    this.#spec = spec
  }

  get port(): number {
    return this.#spec.port
  }

  /** Throws while the part does not run. */
  get pid(): number {
    const pid = this.#child?.pid
    if (pid === undefined) throw new Error(`${this.#spec.name} does not run`)
    return pid
  }

  /** Resolves when the part answers. Throws a StackError, and leaves nothing running. */
  async start(): Promise<void> {
    const { name, command, logFile } = this.#spec
    const printedBefore = statSync(logFile, { throwIfNoEntry: false })?.size ?? 0
    const printed = (): string => readFileSync(logFile).subarray(printedBefore).toString()
    const deadline = performance.now() + startMsMax
    this.#spawn()
    while (!(await this.#spec.isReady(printed()))) {
      if (this.#child === undefined) throw this.#startError(`${name} ended before it was ready`, printed())
      if (performance.now() > deadline) {
        await this.kill()
        throw this.#startError(`${name} (${command}) was not ready after ${startMsMax / 1000} s`, printed())
      }
      await sleep(pollMs)
    }
    this.#mayEnd = false
  }

  /** An orderly end; by force when that takes too long. */
  async stop(): Promise<void> {
    this.#signal('SIGTERM')
    // A paused process takes no other signal.
    this.#signal('SIGCONT')
    const force = setTimeout(() => this.#signal('SIGKILL'), stopMsMax)
    await this.#ended
    clearTimeout(force)
  }

  /** SIGKILL: nothing is flushed. Resolves when the process is gone. */
  async kill(): Promise<void> {
    this.#signal('SIGKILL')
    await this.#ended
  }

  /** SIGSTOP: the port stays open and nobody answers. */
  pause(): void {
    process.kill(this.pid, 'SIGSTOP')
  }

  resume(): void {
    process.kill(this.pid, 'SIGCONT')
  }

  /** Starts the part again on its port and data, after an orderly stop if it still runs. */
  async restart(): Promise<void> {
    await this.stop()
    await this.start()
  }

  #signal(signal: NodeJS.Signals): void {
    this.#mayEnd ||= signal !== 'SIGCONT'
    this.#child?.kill(signal)
  }

  #spawn(): void {
    if (this.#child !== undefined) throw new Error(`${this.#spec.name} runs already`)
    const { name, command, args, logFile, onDeath } = this.#spec
    const log = openSync(logFile, 'a')
    // Detached: Ctrl-C in a terminal goes to the whole group, and the stack must outlive those who use it until they are done.
    // Standard input stays open as long as we live: the engine's end of life hangs on it.
    const child = spawn(command, args, { stdio: ['pipe', log, log], detached: true })
    closeSync(log)
    child.on('error', () => {})
    if (child.pid === undefined) {
      throw new StackError('MISSING_PROGRAM', `cannot run ${command} for ${name}. Run: node deploy/local/run.mjs setup`)
    }
    const release = guardChild(child.pid)
    this.#mayEnd = true
    this.#child = child
    this.#ended = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        release()
        this.#child = undefined
        resolve()
        if (!this.#mayEnd) onDeath(`${name} has ended (${signal ?? `exit code ${code}`}). Its last words are in ${logFile}`)
      })
    })
  }

  #startError(what: string, printed: string): StackError {
    const { command, port, logFile } = this.#spec
    if (/address already in use|EADDRINUSE/i.test(printed)) {
      return new StackError('PORT_TAKEN', `${what}: port ${port} is taken by another process`)
    }
    const words = printed.trimEnd().split('\n').slice(-lastWordsMax).join('\n')
    return new StackError('DID_NOT_START', `${what} (${command}); from ${logFile}:\n${words}`)
  }
}

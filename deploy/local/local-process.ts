import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { guardChild } from './guard-child.ts'
import { StackError } from './stack-error.ts'

export interface ProcessSpec {
  /** Names the two files that take what the process prints: {name}.out and {name}.err. */
  readonly name: string
  readonly command: string
  readonly args: readonly string[]
  /** Over this process's own environment. */
  readonly env?: Readonly<Record<string, string>>
  readonly dataDir: string
  /** Asked again and again by waitReady. */
  readonly isReady: () => Promise<boolean>
}

/** How a process ended: one of the two is set. */
export interface ProcessExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

const pollMs = 50
const lastWordsMax = 20

/** One life of one child process. It dies with this process, however this one ends. */
export class LocalProcess {
  readonly name: string
  readonly pid: number
  readonly outFile: string
  readonly errFile: string
  readonly #isReady: () => Promise<boolean>
  readonly #ended: Promise<ProcessExit>
  #exit: ProcessExit | undefined

  constructor(spec: ProcessSpec) {
    mkdirSync(spec.dataDir, { recursive: true })
    this.name = spec.name
    this.outFile = join(spec.dataDir, `${spec.name}.out`)
    this.errFile = join(spec.dataDir, `${spec.name}.err`)
    this.#isReady = spec.isReady
    const child = spawnDetached(spec, this.outFile, this.errFile)
    if (child.pid === undefined)
      throw new StackError('MISSING_PROGRAM', `cannot run ${spec.command} for ${spec.name}: is it installed?`)
    this.pid = child.pid
    const release = guardChild(child.pid)
    this.#ended = new Promise((resolve) => {
      child.once('exit', (code, signal) => {
        release()
        this.#exit = { code, signal }
        resolve(this.#exit)
      })
    })
  }

  /** Undefined while it runs. */
  get exit(): ProcessExit | undefined {
    return this.#exit
  }

  /** Does nothing when the process has ended: its pid may be another's by now. */
  kill(signal: NodeJS.Signals): void {
    if (this.#exit === undefined) process.kill(this.pid, signal)
  }

  /** Throws a StackError with the process's last words when it ends, or is not ready in time. */
  async waitReady(timeoutMs: number): Promise<void> {
    const deadline = performance.now() + timeoutMs
    while (!(await this.#isReady())) {
      if (this.#exit !== undefined) throw new StackError('DID_NOT_START', this.describeEnd())
      if (performance.now() > deadline) {
        throw new StackError('DID_NOT_START', `not ready after ${timeoutMs / 1000} s: ${this.describeEnd()}`)
      }
      await sleep(pollMs)
    }
  }

  /** Throws when it still runs after timeoutMs. */
  async waitExit(timeoutMs: number): Promise<ProcessExit> {
    const timer = new AbortController()
    const late = sleep(timeoutMs, undefined, { signal: timer.signal }).catch(() => undefined)
    const exit = await Promise.race([this.#ended, late])
    timer.abort()
    if (exit === undefined) throw new Error(`${this.name} (pid ${this.pid}) still runs after ${timeoutMs / 1000} s`)
    return exit
  }

  /** SIGTERM, and SIGKILL when it has not ended after timeoutMs. Answers how it ended. */
  async stop(timeoutMs: number): Promise<ProcessExit> {
    this.kill('SIGTERM')
    // A stopped process takes no other signal.
    this.kill('SIGCONT')
    const force = setTimeout(() => this.kill('SIGKILL'), timeoutMs)
    const exit = await this.#ended
    clearTimeout(force)
    return exit
  }

  /** How it ended and what it said last, for an error's message. */
  describeEnd(): string {
    const words = readFileSync(this.errFile, 'utf8').trimEnd().split('\n').slice(-lastWordsMax).join('\n')
    const how = this.#exit === undefined ? 'still runs' : `has ended (${this.#exit.signal ?? `exit code ${this.#exit.code}`})`
    return `${this.name} ${how}; ${words === '' ? 'it has said nothing' : `from ${this.errFile}:\n${words}`}`
  }
}

function spawnDetached(spec: ProcessSpec, outFile: string, errFile: string): ChildProcess {
  const out = openSync(outFile, 'a')
  const err = openSync(errFile, 'a')
  // Detached: Ctrl-C in a terminal goes to the whole group, and whoever started the process wants to end it in its own order.
  const options = { detached: true, env: { ...process.env, ...spec.env } }
  const child = spawn(spec.command, spec.args, { ...options, stdio: ['ignore', out, err] })
  child.on('error', () => {})
  closeSync(out)
  closeSync(err)
  return child
}

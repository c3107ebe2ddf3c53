import { join } from 'node:path'
import { LocalProcess } from '../local-process.ts'
import type { NewServiceOptions, NewServiceStats } from './new-service-contract.ts'

const callMsMax = 10_000

/** The new service's process, and the calls of its control port. */
export class NewService {
  /** Its SQLite file. */
  readonly file: string
  /** Where it takes flights. */
  readonly url: string
  readonly controlUrl: string
  readonly process: LocalProcess

  /** Starts the process; its waitReady says when it listens. */
  constructor(dataDir: string, options: NewServiceOptions) {
    this.file = options.file
    this.url = `http://127.0.0.1:${options.port}/flights`
    this.controlUrl = `http://127.0.0.1:${options.controlPort}`
    this.process = new LocalProcess({
      name: 'new-service',
      command: process.execPath,
      args: [join(import.meta.dirname, 'new-service.ts'), JSON.stringify(options)],
      dataDir,
      isReady: () => this.#isUp(),
    })
  }

  stats(): Promise<NewServiceStats> {
    return this.#call('GET', '/stats')
  }

  /** From now on every airport is known. */
  async fix(): Promise<void> {
    await this.#call('POST', '/fix')
  }

  async #isUp(): Promise<boolean> {
    try {
      return (await this.stats()).isUp
    } catch {
      return false
    }
  }

  async #call(method: string, path: string): Promise<NewServiceStats> {
    const answer = await fetch(this.controlUrl + path, { method, signal: AbortSignal.timeout(callMsMax) })
    return (await answer.json()) as NewServiceStats
  }
}

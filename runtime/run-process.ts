import { ConfigError } from './config.ts'

const exitCodes = { drained: 0, crash: 1, badConfiguration: 2 } as const

/** Something that runs until it is told to stop. */
export interface Running {
  /** Longest wait for stop(); then the process ends with exit code 1. */
  readonly stopTimeoutMs: number
  /** Resolves when everything is drained; the process ends then. */
  stop(): Promise<void>
}

/**
 * Runs a process: exit 0 when drained after SIGTERM or SIGINT, 1 on a crash, 2 on a bad configuration.
 * A second signal, or the time that it gives itself, ends it at once with 1.
 */
export async function runProcess(start: () => Promise<Running>): Promise<void> {
  process.removeAllListeners('warning')
  process.on('warning', (warning) => {
    // kafkajs asks for timers in the past; Node 24 says so once a process.
    if (warning.name !== 'TimeoutNegativeWarning') process.stderr.write(`${warning.stack ?? warning.message}\n`)
  })
  const crash = (error: unknown): never => {
    if (error instanceof ConfigError) {
      process.stderr.write(`${error.message}\n`)
      process.exit(exitCodes.badConfiguration)
    }
    process.stderr.write(`crashed: ${error instanceof Error ? error.stack : String(error)}\n`)
    process.exit(exitCodes.crash)
  }
  process.on('uncaughtException', crash)
  process.on('unhandledRejection', crash)
  const running = await start().catch(crash)
  let stopping = false
  const stop = (): void => {
    if (stopping) process.exit(exitCodes.crash)
    stopping = true
    setTimeout(() => {
      process.stderr.write(`not drained within ${running.stopTimeoutMs} ms: giving up\n`)
      process.exit(exitCodes.crash)
    }, running.stopTimeoutMs).unref()
    running.stop().then(() => process.exit(exitCodes.drained), crash)
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
}

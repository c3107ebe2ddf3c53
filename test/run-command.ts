import { type ChildProcess, spawn } from 'node:child_process'

export interface CommandResult {
  /** 128 for a command that a signal ended. */
  readonly exitCode: number
  /** What it printed, on both streams; empty when it printed to ours. */
  readonly output: string
  readonly tookMs: number
}

const running = new Set<ChildProcess>()

/** Passes a signal on to what runs now. */
export function signalCommands(signal: NodeJS.Signals): void {
  for (const child of running) child.kill(signal)
}

/** Runs a command to its end, at most timeoutMs; `show` lets it print to our streams instead of collecting. */
export function runCommand(command: string, args: readonly string[], timeoutMs: number, show: boolean): Promise<CommandResult> {
  const startedMs = performance.now()
  const child = spawn(command, args, {
    stdio: ['ignore', show ? 'inherit' : 'pipe', show ? 'inherit' : 'pipe'],
    timeout: timeoutMs,
  })
  running.add(child)
  const chunks: Buffer[] = []
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => chunks.push(chunk))
  return new Promise((resolve) => {
    const end = (exitCode: number, words: string): void => {
      running.delete(child)
      resolve({ exitCode, output: Buffer.concat(chunks).toString() + words, tookMs: performance.now() - startedMs })
    }
    child.once('error', (error) => end(127, error.message))
    child.once('close', (code, signal) => end(code ?? 128, signal ? `${command} was ended by ${signal}` : ''))
  })
}

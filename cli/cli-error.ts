import { ExitCode } from './exit-code.ts'

/** Ends the command with a message, what to do about it, and an exit code. */
export class CliError extends Error {
  override readonly name = 'CliError'
  readonly hints: readonly string[]
  readonly exitCode: ExitCode

  constructor(message: string, hints: readonly string[] = [], exitCode: ExitCode = ExitCode.failed) {
    super(message)
    this.hints = hints
    this.exitCode = exitCode
  }
}

export const usageError = (message: string, ...hints: string[]): CliError => new CliError(message, hints, ExitCode.usage)

import { type Command, CommanderError } from 'commander'
import { CliError } from './cli-error.ts'
import { ExitCode } from './exit-code.ts'
import type { Run } from './program/act.ts'
import { buildProgram } from './program/build-program.ts'
import { type GlobalFlags, readSettings, type Settings } from './settings.ts'
import type { Terminal } from './terminal.ts'

/** Runs one command line and answers the exit code. What it says goes to the terminal it is given. */
export async function runFerry(args: readonly string[], terminal: Terminal): Promise<ExitCode> {
  let exitCode: ExitCode = ExitCode.done
  let settings: Settings | undefined
  const program = buildProgram({
    terminal,
    act: <Options>(run: Run<Options>) =>
      async function (this: Command): Promise<void> {
        const flags = this.optsWithGlobals<GlobalFlags>()
        // What a server needs is loaded only now: --help and the shell's completion are quicker without.
        const [{ connect }, { openSession }, { parseFormat }] = await Promise.all([
          import('./connect.ts'),
          import('./session.ts'),
          import('./output/show.ts'),
        ])
        const format = parseFormat(flags.output)
        settings = await readSettings(flags, terminal.env)
        const ferry = connect(settings, terminal.interrupted)
        try {
          const session = openSession(ferry, settings, terminal, format)
          exitCode = (await run(session, this.processedArgs, this.opts() as Options)) ?? ExitCode.done
        } finally {
          ferry.close()
        }
      },
    local: <Options>(run: (args: readonly unknown[], options: Options & GlobalFlags, program: Command) => Promise<void>) =>
      async function (this: Command): Promise<void> {
        await run(this.processedArgs, this.optsWithGlobals() as Options & GlobalFlags, program)
      },
  })
  try {
    await program.parseAsync(args, { from: 'user' })
    return exitCode
  } catch (error) {
    return explain(error, terminal, settings)
  }
}

async function explain(error: unknown, terminal: Terminal, settings: Settings | undefined): Promise<ExitCode> {
  // Commander has said it already.
  if (error instanceof CommanderError) return error.exitCode === 0 ? ExitCode.done : ExitCode.usage
  if (terminal.interrupted.aborted) return ExitCode.interrupted
  const { paints } = await import('./output/paint.ts')
  const { bad } = paints(terminal.colours)
  const known = error instanceof CliError ? error : await explainUnknown(error, settings)
  terminal.err(`${bad('error:')} ${known.message}\n${known.hints.map((hint) => `  ${hint}\n`).join('')}`)
  return known.exitCode
}

async function explainUnknown(error: unknown, settings: Settings | undefined): Promise<CliError> {
  const { ConnectError } = await import('@connectrpc/connect')
  const { explainError } = await import('./explain-error.ts')
  if (error instanceof ConnectError && settings !== undefined) return explainError(error, settings)
  throw error
}

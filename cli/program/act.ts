import type { Command } from 'commander'
import type { ExitCode } from '../exit-code.ts'
import type { Session } from '../session.ts'
import type { GlobalFlags } from '../settings.ts'
import type { Terminal } from '../terminal.ts'

// biome-ignore lint/suspicious/noExplicitAny: commander gives what the declaration beside it says
export type Run<Options> = (session: Session, args: any[], options: Options) => Promise<ExitCode | undefined> | Promise<void>

type Action = (this: Command) => Promise<void>

/** What declarations of commands are made with. */
export interface Actions {
  readonly terminal: Terminal
  /** Runs with a session: settings read, a server to call. */
  act<Options = Record<never, never>>(run: Run<Options>): Action
  /** Runs without a server. */
  local<Options = Record<never, never>>(
    run: (args: readonly unknown[], options: Options & GlobalFlags, program: Command) => Promise<void>,
  ): Action
}

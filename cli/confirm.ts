import { CliError, usageError } from './cli-error.ts'
import type { Session } from './session.ts'

/** Asks, unless `--yes` has answered. Where nobody can be asked, nothing is done. */
export async function confirm(session: Session, question: string, yes: boolean | undefined): Promise<void> {
  if (yes === true) return
  if (!session.terminal.isInteractive) throw usageError('nothing was done: nobody is there to say yes', 'give --yes')
  if (!(await session.terminal.ask(question))) throw new CliError('nothing was done')
}

import { Argument, type Command } from 'commander'
import type { Actions } from './act.ts'

/** Commands about the command itself. */
export function declareShell(program: Command, { terminal, local }: Actions): void {
  program
    .command('contexts')
    .description('list the contexts of the config file')
    .action(local(async (_, flags) => (await import('../commands/contexts.ts')).contexts(terminal, flags)))
  program
    .command('completion')
    .description('print what makes a shell complete commands, flags and names')
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish']))
    .action(
      local(async ([shell]) =>
        terminal.out((await import('../commands/completion-script.ts')).completionScript(shell as 'bash' | 'zsh' | 'fish')),
      ),
    )
  program
    .command('__complete', { hidden: true })
    .argument('[words...]')
    .action(
      local(async ([words], _, root) => (await import('../commands/complete.ts')).complete(terminal, root, words as string[])),
    )
}

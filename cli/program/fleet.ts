import type { Command } from 'commander'
import type { LanesOptions } from '../commands/lanes.ts'
import type { Actions } from './act.ts'
import { positive } from './parse-flags.ts'

/** Commands that look at lanes and workers. */
export function declareFleet(program: Command, { act }: Actions): void {
  program
    .command('lanes')
    .description('list lanes: who holds them, how far they are, why they do not move')
    .argument('[use-case]')
    .option('--stuck', 'only those that do not move')
    .option('--limit <n>', 'look at no more than so many (10,000)', positive)
    .action(
      act<LanesOptions>(async (session, [name], options) => (await import('../commands/lanes.ts')).lanes(session, name, options)),
    )
  program
    .command('workers')
    .description('list the workers that are alive')
    .action(act(async (session) => (await import('../commands/workers.ts')).workers(session)))
}

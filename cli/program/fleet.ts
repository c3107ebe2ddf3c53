import type { Command } from 'commander'
import type { ChangesOptions } from '../commands/changes.ts'
import type { DrainOptions } from '../commands/drain.ts'
import type { LanesOptions } from '../commands/lanes.ts'
import type { Actions } from './act.ts'
import { positive, several } from './parse-flags.ts'

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
  program
    .command('drain')
    .description('take a worker out: its lanes move to the others, and nothing is repeated')
    .argument('<worker>', 'instance id, as ferry workers shows it')
    .option('--reason <text>', 'why, for the audit')
    .option('--detach', 'do not wait until it has no lanes')
    .option('-y, --yes', 'do not ask')
    .action(
      act<DrainOptions>(async (session, [worker], options) =>
        (await import('../commands/drain.ts')).drain(session, worker, options),
      ),
    )
  program
    .command('changes')
    .description('list the audit: who did what to what, when and why')
    .argument('[use-case]')
    .option('--actor <actor>', 'only of this one, as tokens/shop-deploys')
    .option('--action <actions>', 'only these, as UPDATE,PAUSE', several)
    .option('--since <time>', 'at or after: 2h ago, or a time')
    .option('--until <time>', 'before')
    .option('--limit <n>', 'at most so many (50)', positive)
    .option('--differences', 'what each has changed, field by field')
    .action(
      act<ChangesOptions>(async (session, [name], options) =>
        (await import('../commands/changes.ts')).changes(session, name, options),
      ),
    )
}

import type { Command } from 'commander'
import type { ReplayOptions } from '../commands/replay.ts'
import type { Actions } from './act.ts'
import { positive, rate } from './parse-flags.ts'

/** Commands that send records again whatever became of them. */
export function declareReplays(program: Command, { act }: Actions): void {
  program
    .command('replay')
    .description('send records again, whatever became of them, to the endpoint or to another URL')
    .argument('<use-case>')
    .argument('[records...]', 'PARTITION, PARTITION/FIRST-LAST or PARTITION/FIRST-; or --since')
    .requiredOption('--reason <text>', 'why, for the audit')
    .option('--since <time>', 'of every partition, from this time on: 2h ago, or a time')
    .option('--until <time>', 'before this time; only with --since')
    .option('--url <url>', 'a shadow of the endpoint, which gets what that would get; else the endpoint itself')
    .option('--with-credentials', "only with --url: it gets the use case's credentials, too")
    .option('--rate <n>', 'records in a second, retries included (100)', rate)
    .option('--request-id <id>', 'makes it safe to run again: the same id starts one replay')
    .option('--detach', 'start it and do not follow')
    .option('-y, --yes', 'do not ask')
    .action(
      act<ReplayOptions>(async (session, [name, records], options) =>
        (await import('../commands/replay.ts')).replay(session, name, records, options),
      ),
    )
  const replays = program.command('replays').description('replays: list, show, watch, cancel')
  replays
    .command('list')
    .description('list replays, newest first')
    .argument('<use-case>')
    .option('--limit <n>', 'at most so many (50)', positive)
    .action(
      act<{ limit?: number }>(async (session, [name], options) =>
        (await import('../commands/replay.ts')).listReplays(session, name, options),
      ),
    )
  replays
    .command('show')
    .description('show one replay')
    .argument('<replay>', 'NAMESPACE/ID/REPLAY as the list shows it')
    .action(act(async (session, [name]) => (await import('../commands/replay.ts')).showReplay(session, name)))
  replays
    .command('watch')
    .description('follow a replay until it has ended; Ctrl-C leaves it running')
    .argument('<replay>')
    .action(act(async (session, [name]) => (await import('../commands/replay.ts')).watchReplay(session, name)))
  replays
    .command('cancel')
    .description('stop a replay')
    .argument('<replay>')
    .option('--reason <text>', 'why, for the audit')
    .option('-y, --yes', 'do not ask')
    .action(
      act<{ reason?: string; yes?: boolean }>(async (session, [name], options) =>
        (await import('../commands/replay.ts')).cancelReplay(session, name, options),
      ),
    )
}

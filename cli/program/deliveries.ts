import type { Command } from 'commander'
import type { AttemptFlags, DeliveryFlags, FailureFlags } from '../commands/attempt-filter.ts'
import type { LagOptions } from '../commands/lag.ts'
import type { SummaryOptions } from '../commands/summary.ts'
import type { TailOptions } from '../commands/tail.ts'
import type { VerifyOptions } from '../commands/verify.ts'
import type { Actions } from './act.ts'
import { withAttemptFilter, withFilter } from './filter-flags.ts'
import { positive, several } from './parse-flags.ts'

/** Commands that look at deliveries. */
export function declareDeliveries(program: Command, { act }: Actions): void {
  withAttemptFilter(program.command('attempts').description('list attempts, newest first').argument('<use-case>'))
    .option('--limit <n>', 'at most so many (50)', positive)
    .action(
      act<AttemptFlags & { limit?: number }>(async (session, [name], options) =>
        (await import('../commands/attempts.ts')).attempts(session, name, options),
      ),
    )
  withAttemptFilter(program.command('tail').description('show attempts as they are logged, until Ctrl-C').argument('<use-case>'))
    .option('--limit <n>', 'at most so many a second (100)', positive)
    .option('--for <duration>', 'end after so long')
    .action(
      act<TailOptions>(async (session, [name], options) => (await import('../commands/tail.ts')).tail(session, name, options)),
    )
  withFilter(program.command('deliveries').description('list deliveries: what waits, and what has ended').argument('<use-case>'))
    .option('--state <states>', 'WAITING, SENDING, PARKED, BEHIND, EXHAUSTED, BLOCKED, DEAD_LETTER, ENDED', several)
    .option('--outcome <outcomes>', 'DELIVERED, FAILED, SKIPPED, SUPERSEDED', several)
    .option('--key <key>', "the record's key, whole")
    .option('--batch <batch>', 'what a retry batch opened last')
    .option('--group <group>', 'FAILED for this cause, as ferry failures names it')
    .option('--limit <n>', 'at most so many (50)', positive)
    .action(
      act<DeliveryFlags & { limit?: number }>(async (session, [name], options) =>
        (await import('../commands/deliveries.ts')).deliveries(session, name, options),
      ),
    )
  withFilter(
    program.command('failures').description('what is FAILED, by cause: counts, since when, an example').argument('<use-case>'),
  )
    .option('--limit <n>', 'at most so many groups (50)', positive)
    .action(
      act<FailureFlags & { limit?: number }>(async (session, [name], options) =>
        (await import('../commands/failures.ts')).failures(session, name, options),
      ),
    )
  program
    .command('show')
    .description('show one delivery with its timeline')
    .argument('<use-case>')
    .argument('<partition/offset>', 'or TOPIC/PARTITION/OFFSET, as the header ferry-record has it')
    .option('--bodies', 'headers and bodies of every attempt, not only of the last')
    .action(
      act<{ bodies?: boolean }>(async (session, [name, record], options) =>
        (await import('../commands/show.ts')).show(session, name, record, options),
      ),
    )
  program
    .command('lag')
    .description('say how far a use case is behind, and when it will have caught up')
    .argument('<use-case>')
    .option('-w, --watch [every]', 'again and again until Ctrl-C (2s)')
    .action(act<LagOptions>(async (session, [name], options) => (await import('../commands/lag.ts')).lag(session, name, options)))
  program
    .command('summary')
    .description('attempts in numbers, by interval: outcomes, statuses, rates, latencies')
    .argument('<use-case>')
    .option('--since <time>', 'from: 2h ago, or a time (1h)')
    .option('--until <time>', 'to (now)')
    .option('--every <duration>', 'length of an interval, whole minutes: 5m, 1h, 1d')
    .option('--purpose <purposes>', 'DELIVER, SHADOW, TEST (DELIVER)', several)
    .action(
      act<SummaryOptions>(async (session, [name], options) =>
        (await import('../commands/summary.ts')).summary(session, name, options),
      ),
    )
  program
    .command('verify')
    .description('count what became of every record, and find what is missing: the certificate')
    .argument('<use-case>')
    .argument('[records...]', 'PARTITION, PARTITION/FIRST-LAST or PARTITION/FIRST-; else everything')
    .option('--since <time>', 'from the first record of this time on: 2h ago, or a time')
    .option('--until <time>', 'up to the first record of this time')
    .option('--certificate <file>', 'count a range of any length, and write its signed certificate there')
    .action(
      act<VerifyOptions>(async (session, [name, ranges], options) =>
        (await import('../commands/verify.ts')).verify(session, name, ranges, options),
      ),
    )
}

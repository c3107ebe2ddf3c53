import type { Command } from 'commander'
import { usageError } from '../cli-error.ts'
import type { RetryOptions } from '../commands/retry.ts'
import type { Actions } from './act.ts'
import { withFilter } from './filter-flags.ts'
import { positive, rate, several } from './parse-flags.ts'

/** Commands that send again, or give up, what failed or waits. */
export function declareBatches(program: Command, { act }: Actions): void {
  withFilter(
    program
      .command('retry')
      .description('send again what has FAILED: shows the plan, asks, and follows the batch; Ctrl-C leaves it running')
      .argument('<use-case>'),
  )
    .option('--reason <text>', 'why, for whoever reads the history')
    .option('--group <group>', 'FAILED for this cause, as ferry failures names it')
    .option('--records <records>', 'PARTITION/OFFSET or PARTITION/FIRST-LAST, of any partitions', several)
    .option('--missing-of <file>', 'what ferry verify -o json, or --certificate, has found missing')
    .option('--rate <n>', 'begin so many in a second (as fast as the use case allows)', rate)
    .option('--new-idempotency-key', 'for receivers that refuse keys that they know')
    .option('--max <n>', 'at most so many, oldest offsets first', positive)
    .option('--send-stale', 'in KEY order: also records of which a newer one of the key was delivered')
    .option('--dry-run', 'show the plan only')
    .option('--detach', 'start it and do not follow')
    .option('--request-id <id>', 'makes it safe to run again: the same id starts one batch')
    .option('--waiting <records>', 'instead: send now what waits, PARTITION/OFFSET or PARTITION/FIRST-LAST')
    .option('-y, --yes', 'do not ask')
    .action(
      act<RetryOptions & { waiting?: string }>(async (session, [name], { waiting, ...options }) => {
        if (waiting === undefined) return (await import('../commands/retry.ts')).retry(session, name, options)
        const others = Object.keys(options).filter((flag) => flag !== 'yes')
        if (others.length > 0) throw usageError(`--waiting stands alone: what waits is not selected by ${others.join(', ')}`)
        return (await import('../commands/skip.ts')).retryWaiting(session, name, waiting)
      }),
    )
  program
    .command('skip')
    .description('end deliveries that wait as SKIPPED: they are not sent')
    .argument('<use-case>')
    .argument('<records>', 'PARTITION/OFFSET or PARTITION/FIRST-LAST')
    .requiredOption('--reason <text>', 'why: it stands in the log')
    .option('-y, --yes', 'do not ask')
    .action(
      act<{ reason: string; yes?: boolean }>(async (session, [name, records], options) =>
        (await import('../commands/skip.ts')).skip(session, name, records, options),
      ),
    )
  const batches = program.command('batches').description('retry batches: list, show, watch, items, pause, resume, cancel')
  batches
    .command('list', { isDefault: true })
    .description('list batches, newest first')
    .argument('[use-case]')
    .option('--limit <n>', 'at most so many (50)', positive)
    .action(
      act<{ limit?: number }>(async (session, [name], options) =>
        (await import('../commands/batches.ts')).listBatches(session, name, options),
      ),
    )
  batches
    .command('show')
    .description('show one batch')
    .argument('<batch>', 'NAMESPACE/ID/BATCH as the list shows it')
    .action(act(async (session, [batch]) => (await import('../commands/batches.ts')).showBatch(session, batch)))
  batches
    .command('watch')
    .description('follow a batch until it has ended; Ctrl-C leaves it running')
    .argument('<batch>')
    .action(act(async (session, [batch]) => (await import('../commands/batches.ts')).watchBatch(session, batch)))
  batches
    .command('items')
    .description('list its deliveries, each with what has become of it')
    .argument('<batch>')
    .option(
      '--state <states>',
      'WAITING, SENT, DELIVERED, FAILED_AGAIN, SUPERSEDED, SKIPPED, PAYLOAD_EXPIRED, CANCELLED',
      several,
    )
    .option('--limit <n>', 'at most so many (100)', positive)
    .action(
      act<{ state?: readonly string[]; limit?: number }>(async (session, [batch], options) =>
        (await import('../commands/batch-items.ts')).batchItems(session, batch, options),
      ),
    )
  batches
    .command('pause')
    .description('hold a batch up; what was sent goes on until it has ended')
    .argument('<batch>')
    .option('--reason <text>', 'why, for the history')
    .action(
      act<{ reason?: string }>(async (session, [batch], options) =>
        (await import('../commands/batches.ts')).pauseBatch(session, batch, options),
      ),
    )
  batches
    .command('resume')
    .description('let a paused batch go on')
    .argument('<batch>')
    .option('--reason <text>', 'why, for the history')
    .action(
      act<{ reason?: string }>(async (session, [batch], options) =>
        (await import('../commands/batches.ts')).resumeBatch(session, batch, options),
      ),
    )
  batches
    .command('cancel')
    .description('stop a batch; what was not sent stays FAILED')
    .argument('<batch>')
    .option('--reason <text>', 'why, for the history')
    .option('-y, --yes', 'do not ask')
    .action(
      act<{ reason?: string; yes?: boolean }>(async (session, [batch], options) =>
        (await import('../commands/batches.ts')).cancelBatch(session, batch, options),
      ),
    )
}

import type { Command } from 'commander'
import { several } from './parse-flags.ts'

/** Flags that select attempts, or FAILED deliveries by their last attempt. */
export function withFilter(command: Command): Command {
  return command
    .option('--status <codes>', 'HTTP statuses, as 500,503; none: no answer', several)
    .option('--why <reasons>', 'reasons, as TIMEOUT,DECODE_FAILED', several)
    .option('--since <time>', 'at or after: 15m ago, or 2026-01-31T12:00Z')
    .option('--until <time>', 'before: 15m ago, or a time')
    .option('--at <records>', 'PARTITION, PARTITION/OFFSET, PARTITION/FIRST-LAST or PARTITION/FIRST-')
    .option('--text <text>', 'the error or the answer contains it')
}

/** Flags that select attempts. */
export function withAttemptFilter(command: Command): Command {
  return withFilter(command)
    .option('--outcome <outcomes>', 'DELIVERED, FAILED, SKIPPED, SUPERSEDED, RETRY', several)
    .option('--key <key>', "the record's key, whole")
    .option('--trigger <triggers>', 'INITIAL, RETRY, RETRY_BATCH, REPLAY', several)
    .option('--purpose <purposes>', 'DELIVER, SHADOW, TEST (DELIVER)', several)
    .option('--batch <batch>', 'what a retry batch made happen')
    .option('--group <group>', 'what made deliveries FAILED for this cause, as ferry failures names it')
    .option('--worker <instance>', 'what this worker has sent')
}

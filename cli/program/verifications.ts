import type { Command } from 'commander'
import type { Actions } from './act.ts'
import { positive } from './parse-flags.ts'

/** Commands about ranges that are counted beside the call, and their certificates. */
export function declareVerifications(program: Command, { act }: Actions): void {
  const verifications = program
    .command('verifications')
    .description('what verify --certificate has begun: list, show, watch, cancel, check')
  verifications
    .command('list')
    .description('list them, newest first')
    .argument('<use-case>')
    .option('--limit <n>', 'at most so many (50)', positive)
    .action(
      act<{ limit?: number }>(async (session, [name], options) =>
        (await import('../commands/verifications.ts')).listVerifications(session, name, options),
      ),
    )
  verifications
    .command('show')
    .description('show one, with its counts and its certificate')
    .argument('<verification>', 'NAMESPACE/ID/VERIFICATION as the list shows it')
    .action(act(async (session, [name]) => (await import('../commands/verifications.ts')).showVerification(session, name)))
  verifications
    .command('watch')
    .description('follow one until it is counted; Ctrl-C leaves it running')
    .argument('<verification>')
    .option('--certificate <file>', 'write its certificate there')
    .action(
      act<{ certificate?: string }>(async (session, [name], options) =>
        (await import('../commands/verifications.ts')).watchVerification(session, name, options),
      ),
    )
  verifications
    .command('cancel')
    .description('stop counting')
    .argument('<verification>')
    .action(act(async (session, [name]) => (await import('../commands/verifications.ts')).cancelVerification(session, name)))
  verifications
    .command('check')
    .description('say whether a certificate is what Ferry has written')
    .argument('<file>')
    .option('--public-key <file>', "the key that was archived beside it (the control plane's)")
    .action(
      act<{ publicKey?: string }>(async (session, [file], options) =>
        (await import('../commands/check-certificate.ts')).checkCertificate(session, file, options),
      ),
    )
}

import type { Command } from 'commander'
import type { CreateTokenOptions } from '../commands/tokens.ts'
import type { Actions } from './act.ts'
import { several } from './parse-flags.ts'

/** Commands that say who may do what. */
export function declareTokens(program: Command, { act }: Actions): void {
  const tokens = program.command('tokens').description('tokens: create, list, revoke')
  tokens
    .command('list', { isDefault: true })
    .description('list tokens, without their secrets')
    .option('--all', 'also those that are revoked or have expired')
    .action(
      act<{ all?: boolean }>(async (session, _, options) => (await import('../commands/tokens.ts')).listTokens(session, options)),
    )
  tokens
    .command('create')
    .description('make a token; its secret is shown this once')
    .argument('<id>', 'never used before: the audit names callers by it')
    .requiredOption('--role <role>', 'VIEWER, OPERATOR, EDITOR, ADMIN, WORKER')
    .requiredOption('--namespaces <names>', "ids, or '*' for all; may be given again", several)
    .option('--expires <time>', '90d from now, or a time (when it is revoked)')
    .option('--description <text>', 'who has it and for what')
    .option('--secret-file <file>', 'write the secret there, for its owner only, instead of showing it')
    .action(
      act<CreateTokenOptions>(async (session, [id], options) =>
        (await import('../commands/tokens.ts')).createToken(session, id, options),
      ),
    )
  tokens
    .command('revoke')
    .description('end a token')
    .argument('<id>')
    .option('--reason <text>', 'why, for the audit')
    .option('-y, --yes', 'do not ask')
    .action(
      act<{ reason?: string; yes?: boolean }>(async (session, [id], options) =>
        (await import('../commands/tokens.ts')).revokeToken(session, id, options),
      ),
    )
}

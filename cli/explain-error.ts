import { Code, type ConnectError } from '@connectrpc/connect'
import { BadRequestSchema, ErrorInfoSchema } from '../proto/gen/google/rpc/error_details_pb.ts'
import { CliError } from './cli-error.ts'
import { ExitCode } from './exit-code.ts'
import { plainText } from './output/plain-text.ts'
import type { Settings } from './settings.ts'

/** What went wrong at the server or on the way to it, and what to do about it. */
export function explainError(error: ConnectError, settings: Settings): CliError {
  const unreachable = connectFailure(error)
  if (unreachable !== undefined) return cannotReach(unreachable, settings)
  const reason = error.findDetails(ErrorInfoSchema)[0]?.reason ?? ''
  const hint = hintOfReason[reason] ?? hintOfCode[error.code]
  const hints = [...violationLines(error), ...(hint === undefined ? [] : [hint])]
  return new CliError(plainText(error.rawMessage), hints, exitCodeOf(error))
}

/** One line a violation; says how many the server left out. */
export function violationLines(error: ConnectError): string[] {
  const violations = violationsOf(error)
  const leftOut = leftOutOf(error)
  const lines = violations.map(({ field, description }) =>
    plainText(description.startsWith(field) ? description : `${field}: ${description}`),
  )
  return leftOut === 0 ? lines : [...lines, `and ${leftOut} more`]
}

export const violationsOf = (error: ConnectError): { readonly field: string; readonly description: string }[] =>
  error.findDetails(BadRequestSchema).flatMap(({ fieldViolations }) => fieldViolations)

export const leftOutOf = (error: ConnectError): number =>
  Number(error.findDetails(ErrorInfoSchema)[0]?.metadata['violationsLeftOut'] ?? 0)

function cannotReach(why: string, { address, addressFrom }: Settings): CliError {
  const hints = [
    `the address comes from ${addressFrom}; another one: --address HOST:PORT, FERRY_ADDRESS, or a context (docs/cli.md)`,
  ]
  if (address.protocol === 'https:')
    hints.push('TLS: --ca FILE when its certificate is by a CA of your own; http://HOST:PORT when it has none')
  return new CliError(`cannot reach the control plane at ${address.host}: ${why}`, hints, ExitCode.unavailable)
}

const whyOfCode: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there (connection refused)',
  ENOTFOUND: 'there is no host of this name',
  EAI_AGAIN: 'the name cannot be looked up now',
  ETIMEDOUT: 'it does not answer (timed out)',
  ECONNRESET: 'the connection was reset',
  EHOSTUNREACH: 'there is no way to this host',
  EPIPE: 'the connection was closed',
}

/** Why no connection came about; undefined when the server has answered. */
function connectFailure(error: ConnectError): string | undefined {
  for (let cause: unknown = error.cause; cause instanceof Error; cause = cause.cause) {
    const { code, message } = cause as NodeJS.ErrnoException
    if (code === undefined) continue
    if (code in whyOfCode) return whyOfCode[code]
    if (code.startsWith('ERR_HTTP2') || code.startsWith('ERR_SSL') || code.startsWith('ERR_TLS') || /CERT|SELF_SIGNED/.test(code))
      return `${message} (${code})`
  }
  return undefined
}

const hintOfReason: Readonly<Record<string, string>> = {
  USE_CASE_NOT_FOUND: 'see which there are: ferry get',
  ETAG_MISMATCH: 'somebody has changed it in between: run the command again and look at the differences',
  CONCURRENT_CHANGE: 'two changes at once: run the command again',
  DELIVERIES_WAITING: 'let them end, or delete it with --force: then what waits ends as SKIPPED with reason DELETED',
  VERIFICATION_NOT_FOUND: 'it may have been forgotten; see which there are: ferry verifications list NAME',
  RETRY_BATCH_NOT_FOUND: 'see which there are: ferry batches list',
  DELIVERY_NOT_WAITING: 'what has FAILED is sent again by: ferry retry NAME --at PARTITION/OFFSET --reason TEXT',
  SECRETS_UNAVAILABLE: 'whoever runs Ferry sets FERRY_SECRET_KEYS (docs/credentials.md)',
  NO_LEADER: 'no replica leads at this moment: try again in a few seconds',
  STATE_UNAVAILABLE: 'Redis does not answer the control plane: try again, or look at its log',
  LOG_UNAVAILABLE: 'ClickHouse does not answer the control plane: try again, or look at its log',
  SOURCE_UNAVAILABLE: 'Kafka does not answer the control plane: try again, or look at its log',
  ACCESS_OPEN: 'whoever runs Ferry sets FERRY_ADMIN_TOKEN_SHA256 first (docs/access.md)',
  LIMIT_EXCEEDED: 'call less often, or ask for less',
  NO_WORKER: 'no worker is there to do it: see ferry workers',
}

const hintOfCode: Partial<Record<Code, string>> = {
  [Code.Unauthenticated]:
    'give a token: FERRY_TOKEN, --token-file FILE, or token_file of a context; or a client certificate: --client-cert and --client-key',
  [Code.PermissionDenied]: 'ask who runs Ferry for a token with another role, or for this namespace',
  [Code.Unimplemented]: 'the control plane is older than this command: it does not know this call',
  [Code.DeadlineExceeded]: 'allow it more time: --timeout 2m; or ask for less',
}

function exitCodeOf({ code }: ConnectError): ExitCode {
  switch (code) {
    case Code.InvalidArgument:
    case Code.OutOfRange:
      return ExitCode.usage
    case Code.NotFound:
      return ExitCode.notFound
    case Code.Unauthenticated:
    case Code.PermissionDenied:
      return ExitCode.notAllowed
    case Code.Unavailable:
    case Code.DeadlineExceeded:
    case Code.ResourceExhausted:
      return ExitCode.unavailable
    default:
      return ExitCode.failed
  }
}

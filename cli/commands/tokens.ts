import { writeFileSync } from 'node:fs'
import { timestampMs } from '@bufbuild/protobuf/wkt'
import { type Role, RoleSchema } from '../../proto/gen/ferry/v1/access_pb.ts'
import { CreateTokenResponseSchema, type Token, TokenSchema } from '../../proto/gen/ferry/v1/token_service_pb.ts'
import { allPages } from '../all-pages.ts'
import { CliError } from '../cli-error.ts'
import { confirm } from '../confirm.ts'
import { enumWord } from '../output/enum-words.ts'
import { oneLine } from '../output/plain-text.ts'
import { ageWords, timeAndAge } from '../output/words.ts'
import { parseTimeAhead } from '../point-in-time.ts'
import type { Session } from '../session.ts'
import { oneOf } from './attempt-filter.ts'

export interface CreateTokenOptions {
  readonly role: string
  readonly namespaces: readonly string[]
  readonly expires?: string
  readonly description?: string
  readonly secretFile?: string
}

/** Only its owner reads it. */
const secretMode = 0o600

/** Makes a token and shows its secret, once: on standard output, or into a file that only its owner reads. */
export async function createToken(session: Session, tokenId: string, options: CreateTokenOptions): Promise<void> {
  const { role, namespaces, expires, description = '', secretFile } = options
  const token = {
    role: oneOf(RoleSchema, role, '--role') as Role,
    namespaces: [...namespaces],
    description,
    ...(expires !== undefined && { expireTime: parseTimeAhead(expires, '--expires', session.nowMs()) }),
  }
  const answer = await session.ferry.tokens.createToken({ tokenId, token })
  const { secret } = answer
  if (secretFile !== undefined) {
    writeSecret(secretFile, secret, tokenId)
    answer.secret = ''
  }
  const until =
    answer.token!.expireTime === undefined
      ? 'until it is revoked'
      : `until ${timeAndAge(answer.token!.expireTime, session.nowMs())}`
  if (session.format === 'table') session.terminal.err(`made tokens/${tokenId}, taken ${until}. The secret is shown this once:\n`)
  await session.show(CreateTokenResponseSchema, answer, () =>
    secretFile === undefined ? `${secret}\n` : `it is in ${secretFile}\n`,
  )
}

function writeSecret(path: string, secret: string, tokenId: string): void {
  try {
    writeFileSync(path, `${secret}\n`, { mode: secretMode, flag: 'wx' })
  } catch (error) {
    throw new CliError(`cannot write the secret to ${path}: ${(error as Error).message}`, [
      `nobody has seen it: take the token back (ferry tokens revoke ${tokenId}) and make another one`,
    ])
  }
}

/** Tokens by name, without their secrets. */
export async function listTokens(session: Session, { all = false }: { all?: boolean }): Promise<void> {
  const { items } = await allPages(Number.POSITIVE_INFINITY, async (pageSize, pageToken) => {
    const { tokens, nextPageToken } = await session.ferry.tokens.listTokens({ pageSize, pageToken, showEnded: all })
    return { items: tokens, next: nextPageToken }
  })
  const nowMs = session.nowMs()
  await session.list(TokenSchema, items, {
    none: 'there is no token; ferry tokens create makes one',
    columns: [
      { title: 'TOKEN', of: ({ name }) => name.replace('tokens/', '') },
      { title: 'ROLE', of: ({ role }) => enumWord(RoleSchema, role) },
      { title: 'NAMESPACES', of: ({ namespaces }) => namespaces.join(','), shrinkTo: 10 },
      {
        title: 'STATE',
        of: (token) => stateOf(token, nowMs),
        paint: (cell) => (cell.startsWith('taken') ? cell : session.paint.faint(cell)),
      },
      { title: 'USED', of: ({ lastUseTime }) => (lastUseTime === undefined ? 'never' : ageWords(lastUseTime, nowMs)) },
      { title: 'MADE', of: ({ createTime }) => ageWords(createTime, nowMs) },
      { title: 'BY', of: ({ creator }) => oneLine(creator), shrinkTo: 8 },
      { title: 'FOR', of: ({ description }) => oneLine(description), shrinkTo: 12 },
    ],
  })
}

function stateOf({ expireTime, revokeTime }: Token, nowMs: number): string {
  if (revokeTime !== undefined) return 'revoked'
  if (expireTime === undefined) return 'taken'
  return timestampMs(expireTime) <= nowMs ? 'expired' : `taken, expires ${ageWords(expireTime, nowMs)}`
}

export async function revokeToken(
  session: Session,
  id: string,
  { reason = '', yes }: { reason?: string; yes?: boolean },
): Promise<void> {
  await confirm(session, `Revoke ${id}? Whoever uses it is refused from then on.`, yes)
  const name = id.startsWith('tokens/') ? id : `tokens/${id}`
  const { token } = await session.ferry.tokens.revokeToken({ name, reason })
  await session.show(TokenSchema, token!, () => `${token!.name} is revoked\n`)
}

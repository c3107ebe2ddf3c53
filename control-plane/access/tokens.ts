import { create } from '@bufbuild/protobuf'
import { timestampFromMs, timestampMs } from '@bufbuild/protobuf/wkt'
import { Role } from '../../proto/gen/ferry/v1/access_pb.ts'
import { type Token, TokenSchema } from '../../proto/gen/ferry/v1/token_service_pb.ts'
import { pageOf } from '../use-cases/page.ts'
import { AccessError, type AccessViolation } from './access-error.ts'
import type { Identity } from './identity.ts'
import { hasEnded, namespacesOf, type StoredToken, tokenChange, tokenIdOf } from './stored-token.ts'
import { hashOf, newSecret } from './token-secret.ts'
import type { TokenStore } from './token-store.ts'

export interface TokensOptions {
  readonly store: Pick<TokenStore, 'readAll' | 'readUses' | 'write'>
  /** Nobody is asked who they are: tokens are refused, since they would protect nothing. */
  readonly open: boolean
  readonly nowMs: () => number
}

export interface TokenPage {
  readonly tokens: readonly Token[]
  /** Empty on the last page. */
  readonly nextPageToken: string
}

/** Who asks, and as whom the audit has it. */
export interface Asking {
  readonly identity: Identity
  readonly actor: string
}

const triesMax = 10

/** Tokens, as admins make and revoke them. Whoever has some namespaces only sees and gives what has no others. Throws AccessError and StoreError. */
export class Tokens {
  readonly #options: TokensOptions

  constructor(options: TokensOptions) {
    this.#options = options
  }

  /** Answers the token, and its secret: this once. */
  async create(id: string, asked: Token, { identity, actor }: Asking): Promise<{ token: Token; secret: string }> {
    const { store, open, nowMs } = this.#options
    if (open)
      throw new AccessError(
        'ACCESS_OPEN',
        'everybody who reaches this control plane may do everything: set FERRY_ADMIN_TOKEN_SHA256 first (docs/access.md)',
      )
    const timeMs = nowMs()
    refuse([...checkNamespaces(asked), ...checkExpireTime(asked, timeMs)])
    requireOwn(identity, asked, `tokens/${id}`)
    const secret = newSecret()
    const { role, namespaces, description, expireTime } = asked
    const token = create(TokenSchema, {
      ...{ name: `tokens/${id}`, role, namespaces: [...new Set(namespaces)].sort(), description, creator: actor },
      ...{ createTime: timestampFromMs(timeMs), ...(expireTime && { expireTime }) },
    })
    const stored = { token, sha256: hashOf(secret) }
    const audit = tokenChange('CREATE_TOKEN', { actor, reason: description, timeMs }, undefined, stored)
    if (await store.write(undefined, stored, audit, timeMs)) return { token, secret }
    throw new AccessError(
      'TOKEN_EXISTS',
      `${token.name} is there, or was: the audit names callers by it, so choose an id that was never used`,
    )
  }

  async list(identity: Identity, pageSize: number, pageToken: string, showEnded: boolean): Promise<TokenPage> {
    const { store, nowMs } = this.#options
    const [all, uses] = await Promise.all([store.readAll(), store.readUses()])
    const shown = new Map(
      [...all.values()]
        .filter(({ token }) => isOwn(identity, token) && (showEnded || !hasEnded(token, nowMs())))
        .map(({ token }) => [token.name, token]),
    )
    const page = pageOf([...shown.keys()].sort(), `tokens ${showEnded}`, pageSize, pageToken)
    return { tokens: page.items.map((name) => withUse(shown.get(name)!, uses)), nextPageToken: page.nextPageToken }
  }

  /** Revoking what is revoked answers it. */
  async revoke(name: string, reason: string, { identity, actor }: Asking): Promise<Token> {
    const { store, nowMs } = this.#options
    for (let tries = 0; tries < triesMax; tries++) {
      const before = (await store.readAll()).get(name.slice('tokens/'.length))
      if (before === undefined || !isOwn(identity, before.token))
        throw new AccessError('TOKEN_NOT_FOUND', `there is no ${name} that you may see: see ListTokens`)
      if (before.token.revokeTime !== undefined) return before.token
      const timeMs = nowMs()
      const after: StoredToken = {
        token: { ...before.token, revokeTime: timestampFromMs(timeMs) },
        sha256: before.sha256,
      }
      const audit = tokenChange('REVOKE_TOKEN', { actor, reason, timeMs }, before, after)
      if (await store.write(before, after, audit, timeMs)) return after.token
    }
    throw new AccessError('CONCURRENT_CHANGE', `${name} changes all the time: call again`)
  }
}

const isOwn = ({ namespaces }: Identity, token: Token): boolean =>
  namespaces === undefined || token.namespaces.every((each) => namespaces.has(each))

function requireOwn(identity: Identity, token: Token, name: string): void {
  if (isOwn(identity, token)) return
  const own = [...identity.namespaces!].sort().join(', ')
  throw new AccessError(
    'PERMISSION_DENIED',
    `${name} would have the namespaces ${token.namespaces.join(', ')}, and ${identity.name} has ${own}: nobody gives what he has not`,
  )
}

function withUse(token: Token, uses: ReadonlyMap<string, number>): Token {
  const useMs = uses.get(tokenIdOf(token))
  return useMs === undefined ? token : { ...token, lastUseTime: timestampFromMs(useMs) }
}

function checkNamespaces(token: Token): AccessViolation[] {
  const field = 'token.namespaces'
  const whole = namespacesOf(token) === undefined
  const given = `given ${token.namespaces.join(', ')}`
  if (whole && token.namespaces.length > 1)
    return [{ field, description: `${field} must be * alone, or namespaces; ${given}`, reason: 'TOKEN_NAMESPACES' }]
  if (token.role !== Role.WORKER || whole) return []
  const description = `${field} must be * for a worker, which carries the records of all namespaces; ${given}`
  return [{ field, description, reason: 'TOKEN_NAMESPACES' }]
}

function checkExpireTime({ expireTime }: Token, nowMs: number): AccessViolation[] {
  if (expireTime === undefined || timestampMs(expireTime) > nowMs) return []
  const field = 'token.expire_time'
  const given = new Date(timestampMs(expireTime)).toISOString()
  const description = `${field} must be in the future, or left out for a token that ends when it is revoked; given ${given}`
  return [{ field, description, reason: 'TOKEN_EXPIRE_TIME' }]
}

function refuse(violations: readonly AccessViolation[]): void {
  if (violations.length > 0)
    throw new AccessError('INVALID_REQUEST', violations.map((each) => each.description).join('. '), violations)
}

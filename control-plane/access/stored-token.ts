import { fromJson, type JsonValue, toJson } from '@bufbuild/protobuf'
import { timestampMs } from '@bufbuild/protobuf/wkt'
import { type Token, TokenSchema } from '../../proto/gen/ferry/v1/token_service_pb.ts'
import type { ChangeRow } from '../store/change.ts'
import type { Identity } from './identity.ts'

/** A token as Redis and the audit have it. */
export interface StoredToken {
  readonly token: Token
  /** Of its secret, which nobody has but its bearer. */
  readonly sha256: string
  /** As it was read: what a change is compared with. */
  readonly text?: string
}

export const writeToken = ({ token, sha256 }: StoredToken): string =>
  JSON.stringify({ token: toJson(TokenSchema, token), sha256 })

/** Fields that a newer control plane wrote are left out, so that versions run side by side. */
export function readToken(text: string): StoredToken {
  const { token, sha256 } = JSON.parse(text) as { token: JsonValue; sha256: string }
  return { token: fromJson(TokenSchema, token, { ignoreUnknownFields: true }), sha256, text }
}

export const tokenIdOf = ({ name }: Token): string => name.slice('tokens/'.length)

/** Revoked, or expired. */
export const hasEnded = ({ revokeTime, expireTime }: Token, nowMs: number): boolean =>
  revokeTime !== undefined || (expireTime !== undefined && timestampMs(expireTime) <= nowMs)

/** Undefined: all. */
export const namespacesOf = ({ namespaces }: Pick<Token, 'namespaces'>): ReadonlySet<string> | undefined =>
  namespaces.includes('*') ? undefined : new Set(namespaces)

export const identityOf = (token: Token): Identity => ({
  name: token.name,
  role: token.role,
  namespaces: namespacesOf(token),
})

/** What the audit keeps of it: with the hash, so that a Redis that has lost everything gets its tokens back. */
export function tokenChange(
  action: 'CREATE_TOKEN' | 'REVOKE_TOKEN',
  change: { readonly actor: string; readonly reason: string; readonly timeMs: number },
  before: StoredToken | undefined,
  after: StoredToken,
): ChangeRow {
  return {
    ...{ change_time: change.timeMs, actor: change.actor, action, reason: change.reason },
    ...{ namespace: '', use_case: '', resource: after.token.name, uid: '', revision: '0' },
    ...{ before: before ? writeToken(before) : '', after: writeToken(after) },
  }
}

import { Role } from '../../proto/gen/ferry/v1/access_pb.ts'
import type { Identity } from './identity.ts'

/** Who makes a call. */
export interface Caller {
  readonly identity: Identity
  /** As the audit has it: the identity, and whom it says it acts for. */
  readonly actor: string
}

/** Everybody, where nobody is asked who they are: every method is theirs. */
export const anonymous: Identity = { name: 'anonymous', role: Role.ADMIN, namespaces: undefined }

const saidLengthMax = 200

/** `said` is what the caller says of itself: nothing proves it, so it comes after what is proven. */
export function callerAs(identity: Identity, said: string | null): Caller {
  const words = said?.trim().slice(0, saidLengthMax) ?? ''
  if (identity === anonymous) return { identity, actor: words || anonymous.name }
  return { identity, actor: words === '' ? identity.name : `${identity.name} for ${words}` }
}

import type { Role } from '../../proto/gen/ferry/v1/access_pb.ts'

/** Who calls, once that is proven. */
export interface Identity {
  /** As the audit has it: `tokens/{id}`, `certificates/{name}`, `admin`, or `anonymous` where nobody is asked. */
  readonly name: string
  readonly role: Role
  /** Undefined: all. */
  readonly namespaces: ReadonlySet<string> | undefined
}

export const mayUseNamespace = ({ namespaces }: Identity, namespace: string): boolean => namespaces?.has(namespace) ?? true

/** Of a name that begins with `namespaces/{namespace}`; undefined for any other text. */
export const namespaceOf = (name: string): string | undefined => /^namespaces\/([a-z][a-z0-9-]{0,62})(?:\/|$)/.exec(name)?.[1]

import type { DescField, Message } from '@bufbuild/protobuf'
import { Role, RoleSchema, Scope } from '../../proto/gen/ferry/v1/access_pb.ts'
import type { AccessRule } from './access-rule.ts'
import { type Identity, mayUseNamespace, namespaceOf } from './identity.ts'

// | scope  | the field names     | a caller of all namespaces | a caller of some                                     |
// |--------|---------------------|----------------------------|------------------------------------------------------|
// | NAMED  | an own namespace    | may                        | may                                                  |
// | NAMED  | another, or nothing | may                        | may not                                              |
// | LISTED | nothing             | may, and sees all          | may, and sees its own: the method sees to that       |
// | LISTED | as NAMED            | may                        | as NAMED                                             |
// | SHARED |                     | may                        | may                                                  |
// | WHOLE  |                     | may                        | may not                                              |

/** Why the identity may not make this call, as a sentence that says what is missing; undefined when it may. */
export function findRefusal(rule: AccessRule, identity: Identity, call: string, request: Message): string | undefined {
  if (!hasRole(identity.role, rule.role)) {
    const needs = rule.role === Role.WORKER ? 'is for workers only' : `needs the role ${roleName(rule.role)}`
    return `${call} ${needs}, and ${identity.name} has the role ${roleName(identity.role)}`
  }
  const { namespaces } = identity
  if (namespaces === undefined || rule.scope === Scope.SHARED) return undefined
  const own = `${identity.name} has ${[...namespaces].sort().join(', ')}`
  if (rule.scope === Scope.WHOLE) return `${call} is about all namespaces, and ${own}`
  const given = readPath(request, rule.path)
  if (given === '' && rule.scope === Scope.LISTED) return undefined
  const namespace = namespaceOf(given)
  if (namespace !== undefined && mayUseNamespace(identity, namespace)) return undefined
  const field = rule.path.map((each) => each.name).join('.')
  return namespace === undefined
    ? `${field} must begin with namespaces/ and a namespace: ${own}`
    : `${field} is of the namespace ${namespace}, and ${own}`
}

/** Each role may do what those below it may, but for WORKER, which stands apart. */
export function hasRole(role: Role, needed: Role): boolean {
  if (role === Role.WORKER || needed === Role.WORKER) return role === needed
  return role >= needed
}

export const roleName = (role: Role): string => RoleSchema.value[role]?.name.replace('ROLE_', '') ?? String(role)

/** '' when the field, or a message on the way to it, is not set. */
function readPath(request: Message, path: readonly DescField[]): string {
  let at: unknown = request
  for (const field of path) at = (at as Record<string, unknown> | undefined)?.[field.localName]
  return typeof at === 'string' ? at : ''
}

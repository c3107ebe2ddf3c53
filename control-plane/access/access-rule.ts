import { type DescField, type DescMessage, type DescMethod, type DescService, getOption, ScalarType } from '@bufbuild/protobuf'
import { type Access, access, Role, Scope, ScopeSchema } from '../../proto/gen/ferry/v1/access_pb.ts'

/** What a method needs of its caller, as its descriptor says. */
export interface AccessRule {
  /** The least. */
  readonly role: Role
  readonly scope: Scope
  /** NAMED and LISTED: the way from the request to the field that names a namespace. Empty for the others. */
  readonly path: readonly DescField[]
}

/** The rule of every method. Throws one Error that names each method without a whole one: nothing may be served that nobody thought of. */
export function readAccessRules(services: readonly DescService[]): ReadonlyMap<DescMethod, AccessRule> {
  const problems: string[] = []
  const rules = new Map<DescMethod, AccessRule>()
  for (const method of services.flatMap((service) => service.methods)) {
    const rule = ruleOf(method)
    if (typeof rule === 'string') problems.push(`${method.parent.typeName}/${method.name}: ${rule}`)
    else rules.set(method, rule)
  }
  if (problems.length > 0) throw new Error(`methods that do not say who may call them:\n${problems.join('\n')}`)
  return rules
}

/** The rule, or what is wrong with it. */
function ruleOf(method: DescMethod): AccessRule | string {
  const { role, scope, field } = getOption(method, access) as Access
  if (role === Role.UNSPECIFIED || scope === Scope.UNSPECIFIED)
    return 'must have option (ferry.v1.access) with a role and a scope'
  if (scope !== Scope.NAMED && scope !== Scope.LISTED)
    return field === '' ? { role, scope, path: [] } : `${ScopeSchema.value[scope]?.name} has no field; given ${field}`
  if (method.methodKind === 'client_streaming' || method.methodKind === 'bidi_streaming')
    return 'streams of requests name no namespace: they must be SHARED or WHOLE'
  const path = pathOf(method.input, field)
  return path === undefined
    ? `field must be the path of a string in ${method.input.typeName}; given ${JSON.stringify(field)}`
    : { role, scope, path }
}

/** Undefined when it does not lead to a single string. */
function pathOf(message: DescMessage, path: string): DescField[] | undefined {
  const fields: DescField[] = []
  let at: DescMessage | undefined = message
  for (const name of path.split('.')) {
    const field: DescField | undefined = at?.fields.find((each) => each.name === name)
    if (field === undefined) return undefined
    fields.push(field)
    at = field.fieldKind === 'message' ? field.message : undefined
  }
  const last = fields.at(-1)
  return last?.fieldKind === 'scalar' && last.scalar === ScalarType.STRING ? fields : undefined
}

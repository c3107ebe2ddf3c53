import { create, type DescMethod, type DescService, getOption } from '@bufbuild/protobuf'
import { Code, ConnectError, createClient, type Transport } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { access, Role, RoleSchema, Scope } from '../../proto/gen/ferry/v1/access_pb.ts'
import { Health } from '../../proto/gen/grpc/health/v1/health_pb.ts'
import { createGrpcJsTransport, type GrpcJsTransport } from '../../proto/grpc-transport.ts'
import { allServices } from '../access/all-services.ts'
import { CallBudget } from '../access/call-budget.ts'
import { Gate } from '../access/gate.ts'
import { hashOf, newSecret } from '../access/token-secret.ts'
import { silentLog } from '../store/sample-control.ts'
import { serve } from './serve.ts'
import { callerOf } from './who-calls.ts'

// Every method of the contract, by every role, with an own and a foreign namespace, over both ports: what may not be called is
// PERMISSION_DENIED and reaches nobody; what may reaches its method, or the validation before it. Generated from the descriptors.

const roles = [Role.VIEWER, Role.OPERATOR, Role.EDITOR, Role.ADMIN, Role.WORKER] as const
const allowedTo: Readonly<Record<number, readonly Role[]>> = {
  [Role.VIEWER]: [Role.VIEWER, Role.OPERATOR, Role.EDITOR, Role.ADMIN],
  [Role.OPERATOR]: [Role.OPERATOR, Role.EDITOR, Role.ADMIN],
  [Role.EDITOR]: [Role.EDITOR, Role.ADMIN],
  [Role.ADMIN]: [Role.ADMIN],
  [Role.WORKER]: [Role.WORKER],
}
/** What a name says is only looked at. A method that begins otherwise needs more than a viewer. */
const looking = /^(Get|List|Verify|Reconcile|Plan|Summarize|Tail|Watch|Count|Search|Find)/
/** These count, and change nothing of what is delivered. */
const counting = ['CreateVerification', 'CancelVerification']

interface Token {
  readonly role: Role
  readonly isWhole: boolean
  readonly secret: string
}
const tokens: Token[] = roles.flatMap((role) => [
  { role, isWhole: true, secret: newSecret() },
  { role, isWhole: false, secret: newSecret() },
])
const nameOf = ({ role, isWhole }: Token) => `tokens/${RoleSchema.value[role]!.name.toLowerCase()}-${isWhole ? 'all' : 'own'}`

const services = await allServices()
const methods = services.flatMap((service) => service.methods)
/** Of calls that have reached a method: the method, and who called by its caller's token and own words. */
const reached = new Set<string>()
let server: Awaited<ReturnType<typeof serve>>
let grpc: GrpcJsTransport
let transports: Transport[]

/** Every method answers an empty message, or none, and notes who called. */
function answering(service: DescService): object {
  const note = (method: DescMethod, context: Parameters<typeof callerOf>[0]) =>
    void reached.add(`${method.name} ${callerOf(context).actor}`)
  return Object.fromEntries(
    service.methods.map((method) => [
      method.localName,
      method.methodKind === 'unary'
        ? (_: unknown, context: Parameters<typeof callerOf>[0]) => {
            note(method, context)
            return {}
          }
        : async function* (_: unknown, context: Parameters<typeof callerOf>[0]) {
            note(method, context)
            yield* []
          },
    ]),
  )
}

beforeAll(async () => {
  const byHash = new Map(tokens.map((each) => [hashOf(each.secret), each]))
  const gate = new Gate({
    ...{ open: false, adminHashes: new Set(), certificates: new Map() },
    tokens: {
      find: async (sha256) => {
        const found = byHash.get(sha256)
        if (found === undefined) return undefined
        const namespaces = found.isWhole ? ['*'] : ['own', 'own-too']
        return {
          ...{ name: nameOf(found), role: found.role, namespaces },
          $typeName: 'ferry.v1.Token',
          description: '',
          creator: '',
        }
      },
    },
    handOver: { sign: async () => '', verify: async () => undefined },
    budget: new CallBudget({ callsPerSecondMax: 1_000_000, monotonicMs: () => performance.now() }),
  })
  const address = { host: '127.0.0.1', port: 0 }
  server = await serve({
    services: services.map((service) => [service, answering(service)] as const) as never,
    ...{ grpc: address, http: address, gate, log: silentLog, registry: new Registry(), ready: () => [] },
  })
  grpc = createGrpcJsTransport(`127.0.0.1:${server.grpcPort}`)
  transports = [grpc, createConnectTransport({ baseUrl: `http://127.0.0.1:${server.httpPort}`, httpVersion: '1.1' })]
})
afterAll(async () => {
  grpc?.close()
  await server?.stop(1000)
})

/** A request with this text in the field that names a namespace. */
function requestOf(method: DescMethod, field: string, text: string): object {
  const path = field === '' ? [] : field.split('.')
  const value = path.reduceRight<unknown>((inner, name) => {
    const [first = '', ...rest] = name.split('_')
    return { [first + rest.map((word) => word[0]!.toUpperCase() + word.slice(1)).join('')]: inner }
  }, text)
  return create(method.input, (path.length === 0 ? {} : value) as Record<string, unknown>)
}

async function call(
  transport: Transport,
  method: DescMethod,
  request: object,
  headers: Record<string, string>,
): Promise<Code | 'OK'> {
  const client = createClient(method.parent, transport) as Record<string, (request: unknown, options: object) => unknown>
  const options = { headers, timeoutMs: 10_000 }
  try {
    const given = method.methodKind === 'unary' || method.methodKind === 'server_streaming' ? request : one(request)
    const answer = client[method.localName]!(given, options)
    if (method.methodKind === 'unary' || method.methodKind === 'client_streaming') await answer
    else for await (const _ of answer as AsyncIterable<unknown>);
    return 'OK'
  } catch (error) {
    return ConnectError.from(error).code
  }
}
async function* one<T>(request: T): AsyncGenerator<T> {
  yield request
}

const resource = (namespace: string) => `namespaces/${namespace}/useCases/orders`
const targets = [
  ['an own namespace', resource('own')],
  ['a foreign namespace', resource('foreign')],
  ['one that begins like an own one', resource('own-too-long')],
  ['one that hides behind an own one', 'namespaces/own/../foreign/useCases/orders'],
  ['another resource', 'organizations/own/useCases/orders'],
  ['nothing', ''],
] as const

function isAllowed(method: DescMethod, token: Token, target: string): boolean {
  const { role, scope } = getOption(method, access)
  if (!allowedTo[role]!.includes(token.role)) return false
  if (token.isWhole || scope === Scope.SHARED) return true
  if (scope === Scope.WHOLE) return false
  // `..` is no way here: names are texts, and this one begins with an own namespace. It is of no resource, in no namespace.
  return /^namespaces\/own(-too)?(\/|$)/.test(target) || (target === '' && scope === Scope.LISTED)
}

describe.each(methods.map((method) => [`${method.parent.name}/${method.name}`, method] as const))('%s', (_, method) => {
  const { role, field } = getOption(method, access)

  test('is called by whom its role and namespace allow, and by nobody else', async () => {
    const cases = tokens.flatMap((token) => targets.map(([what, target]) => ({ token, what, target })))
    for (const transport of transports) {
      reached.clear()
      const codes = cases.map(({ token, what, target }) => {
        const headers = { authorization: `Bearer ${token.secret}`, 'ferry-actor': what }
        return call(transport, method, requestOf(method, field, target), headers)
      })
      for (const [at, code] of (await Promise.all(codes)).entries()) {
        const { token, what, target } = cases[at]!
        const about = `${nameOf(token)} for ${what}`
        const hasReached = reached.has(`${method.name} ${about}`)
        if (isAllowed(method, token, target)) expect([Code.PermissionDenied, Code.Unauthenticated], about).not.toContain(code)
        else expect([code, hasReached], about).toEqual([Code.PermissionDenied, false])
        if (code === 'OK') expect(hasReached, about).toBe(true)
      }
    }
  })

  test('is refused to whoever does not say who they are, or says it wrongly', async () => {
    reached.clear()
    const texts = [newSecret(), 'ferry_', `${tokens[0]!.secret}x`].map((secret) => ({ authorization: `Bearer ${secret}` }))
    for (const transport of transports) {
      const request = requestOf(method, field, resource('own'))
      const codes = await Promise.all([{}, ...texts].map((headers) => call(transport, method, request, headers)))
      expect(codes).toEqual(codes.map(() => Code.Unauthenticated))
    }
    expect([...reached]).toEqual([])
  })

  test('needs more than a viewer, unless its name says that it only looks', () => {
    if (!looking.test(method.name) && !counting.includes(method.name)) expect(role).not.toBe(Role.VIEWER)
  })
})

test('health, readiness and metrics are there for everybody', async () => {
  const url = `http://127.0.0.1:${server.httpPort}`
  for (const path of ['/healthz', '/readyz', '/metrics']) expect((await fetch(url + path)).status, path).toBe(200)
  expect(await createClient(Health, grpc).check({})).toMatchObject({ status: 1 })
})

import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { DecodeError } from '../../convert/decode/decode-error.ts'
import { defaultDecodeLimits } from '../../convert/decode/decode-limits.ts'
import { type RegisteredSchema, SchemaPending } from '../../convert/decode/registry/schema-source.ts'
import { readEgressRules } from '../../runtime/egress-rules.ts'
import type { SchemaRegistryConfig } from '../../runtime/schema-registries.ts'
import { registryAsker } from './ask-registry.ts'
import { SampleRegistry } from './sample-registry.ts'
import { SchemaRegistry } from './schema-registry.ts'

let server: SampleRegistry
let logged: string[]
beforeEach(async () => {
  server = await SampleRegistry.start()
  logged = []
})
afterEach(() => server[Symbol.asyncDispose]())

function open(config: Partial<SchemaRegistryConfig> = {}, egress = 'loopback'): SchemaRegistry {
  const whole = {
    name: 'default',
    urls: [server.url],
    authorization: undefined,
    ca: undefined,
    timeoutMs: 500,
    schemasMax: 3,
    ...config,
  }
  const log = (_facts: unknown, message: string) => void logged.push(message)
  const { name, schemasMax } = whole
  const options = { name, schemasMax, limits: defaultDecodeLimits, waitMs: 50 }
  return new SchemaRegistry(registryAsker(whole, readEgressRules(egress)), options, { info: log, warn: log } as never)
}

/** What find says now: a schema, what is wrong, or that it is to be waited for. */
function look(registry: SchemaRegistry, id: number): RegisteredSchema | string | SchemaPending {
  try {
    return registry.find(id)
  } catch (error) {
    if (error instanceof SchemaPending) return error
    if (error instanceof DecodeError) return `${error.code}: ${error.message}`
    throw error
  }
}

/** What find says when it no longer says wait. */
async function settledLook(registry: SchemaRegistry, id: number): Promise<RegisteredSchema | string> {
  for (let tries = 0; tries < 100; tries++) {
    const found = look(registry, id)
    if (!(found instanceof SchemaPending)) return found
    await found.settled
  }
  throw new Error('it is still to be waited for')
}

/** The registry's trouble, once there is one. */
async function troubleOf(registry: SchemaRegistry, id: number): Promise<string> {
  expect(look(registry, id)).toBeInstanceOf(SchemaPending)
  await vi.waitFor(() => expect(registry.trouble).toBeDefined(), 3000)
  return registry.trouble!
}

const int = { schema: '"int"' }

test('fetches a schema once for all that wait, and remembers it', async () => {
  server.ids.set(7, int)
  const registry = open()
  const pending = look(registry, 7)
  expect(pending).toBeInstanceOf(SchemaPending)
  expect(look(registry, 7)).toBe(pending)
  expect(await settledLook(registry, 7)).toMatchObject({ kind: 'AVRO', type: { kind: 'int' } })
  expect(look(registry, 7)).toMatchObject({ kind: 'AVRO' })
  expect(server.requests).toEqual(['/schemas/ids/7'])
  expect(logged).toEqual([])
})

test('fetches what a schema refers to, through all levels, each once, also in circles', async () => {
  const a = { name: 'x.A', subject: 'a/ä', version: 1 }
  const b = { name: 'x.B', subject: 'b', version: 2 }
  server.versions.set('a/ä/1', { schema: '{"type":"record","name":"x.A","fields":[]}', references: [b] })
  server.versions.set('b/2', { schema: '{"type":"enum","name":"x.B","symbols":[]}', references: [a] })
  server.ids.set(1, { schema: '["x.A", "x.B"]', references: [a, b] })
  expect(await settledLook(open(), 1)).toMatchObject({ kind: 'AVRO', type: { branches: [{ name: 'x.A' }, { name: 'x.B' }] } })
  expect(server.requests).toEqual([
    '/schemas/ids/1',
    '/subjects/a%2F%C3%A4/versions/1?deleted=true',
    '/subjects/b/versions/2?deleted=true',
  ])
})

test('asks for protobuf in its serialized form, and takes the text when the registry has none', async () => {
  const file = Buffer.from('\u0001').toString('base64')
  server.ids.set(1, { schemaType: 'PROTOBUF', schema: 'syntax = "proto3";', serialized: '' })
  server.ids.set(2, { schemaType: 'PROTOBUF', schema: 'syntax = "proto3";' })
  server.ids.set(3, { schemaType: 'PROTOBUF', schema: 'syntax = "proto3";', serialized: file })
  const registry = open()
  expect(await settledLook(registry, 1)).toMatchObject({ kind: 'PROTOBUF' })
  expect(server.requests).toEqual(['/schemas/ids/1', '/schemas/ids/1?format=serialized'])
  expect(await settledLook(registry, 2)).toMatchObject({ kind: 'PROTOBUF' })
  expect(await settledLook(registry, 3)).toContain('is no FileDescriptorProto')
})

test.each([
  ['an id that it does not have', () => {}, 'SCHEMA_NOT_FOUND: schema 1 is not in the registry: http:.* answered 404 .40403.'],
  [
    'a reference that it does not have',
    () => server.ids.set(1, { ...int, references: [{ name: 'n', subject: 's', version: 4 }] }),
    'SCHEMA_NOT_FOUND: s version 4, which schema 1 needs, is not in the registry',
  ],
  [
    'a schema that is none',
    () => server.ids.set(1, { schema: '{' }),
    'SCHEMA_UNUSABLE: schema 1 cannot be used: the Avro schema is no JSON',
  ],
  [
    'a type that Ferry does not know',
    () => server.ids.set(1, { schema: '', schemaType: 'XML' }),
    'SCHEMA_UNUSABLE: .* of type "XML"',
  ],
])('says of %s what is wrong, and asks no more for a while', async (_what, prepare, problem) => {
  prepare()
  const registry = open()
  expect(await settledLook(registry, 1)).toMatch(new RegExp(problem))
  const { length } = server.requests
  expect(look(registry, 1)).toMatch(new RegExp(problem))
  expect(server.requests).toHaveLength(length)
  expect(registry.trouble).toBeUndefined()
})

test.each<[string, NonNullable<SampleRegistry['fault']>, RegExp]>([
  ['refuses the credentials', (response) => response.writeHead(401).end(), /answered 401$/],
  ['is overloaded', (response) => response.writeHead(429).end('{"error_code":42901}'), /answered 429 \(42901\)$/],
  ['has an error', (response) => response.writeHead(500).end('{"error_code":50001}'), /answered 500 \(50001\)$/],
  ['is behind something that does not know it', (response) => response.writeHead(404).end('<html>'), /answered 404$/],
  ['is elsewhere by its path', (response) => response.writeHead(404).end('{"error_code":404}'), /answered 404 \(404\)$/],
  ['sends on to another', (response) => response.writeHead(302, { location: '/schemas/ids/2' }).end(), /answered 302$/],
  ['answers with a page', (response) => response.end('<html>log in</html>'), /answered with what is no JSON object$/],
  ['answers with other JSON', (response) => response.end('{"a":1}'), /answered without the text of schema 1$/],
  [
    'answers with broken references',
    (response) => response.end('{"schema":"","references":[{"name":1}]}'),
    /has no name, subject or version$/,
  ],
  [
    'answers without an end',
    (response) => endless(response),
    /answered more than|cannot be asked: .*(size|exceeded|large)|did not answer within/i,
  ],
  ['breaks off', (response) => response.destroy(), /cannot be asked: /],
  ['does not answer', () => {}, /did not answer within 500 ms$/],
  ['does not speak HTTP', (response) => response.socket!.end('hello\r\n\r\n'), /cannot be asked: /],
])('waits while the registry %s, then goes on', async (_what, fault, trouble) => {
  server.ids.set(1, int)
  server.fault = fault
  const registry = open()
  expect(await troubleOf(registry, 1)).toMatch(trouble)
  expect(registry.trouble).toContain('schema registry default: ')
  expect(look(registry, 1)).toBeInstanceOf(SchemaPending)
  server.fault = undefined
  expect(await settledLook(registry, 1)).toMatchObject({ kind: 'AVRO' })
  expect(registry.trouble).toBeUndefined()
  expect(logged).toEqual(['schemas: the registry gives no schemas, trying again', 'schemas: the registry answers again'])
})

function endless(response: Parameters<NonNullable<SampleRegistry['fault']>>[0]): void {
  const chunk = Buffer.alloc(1 << 20, ' ')
  const more = (): void => {
    while (!response.destroyed && response.write(chunk));
    if (!response.destroyed) response.once('drain', more)
  }
  more()
}

test('what is known stays known while the registry is down, and waits between two tries grow', async () => {
  server.ids.set(1, int)
  const registry = open()
  await settledLook(registry, 1)
  await server.down()
  expect(await troubleOf(registry, 2)).toContain('ECONNREFUSED')
  expect(look(registry, 1)).toMatchObject({ kind: 'AVRO' })
  const waits: number[] = []
  for (let tries = 0; tries < 4; tries++) {
    const from = performance.now()
    const pending = look(registry, 3 + tries)
    expect(pending).toBeInstanceOf(SchemaPending)
    await (pending as SchemaPending).settled
    waits.push(performance.now() - from)
  }
  expect(waits.at(-1)).toBeGreaterThan(200)
  server.ids.set(2, int)
  await server.up()
  expect(await settledLook(registry, 2)).toMatchObject({ kind: 'AVRO' })
})

test('asks the next of its URLs when one does not answer, and begins with that from then on', async () => {
  await using other = await SampleRegistry.start()
  for (const each of [server, other]) for (const id of [1, 2]) each.ids.set(id, int)
  const registry = open({ urls: [`${server.url}/base/`, other.url] })
  await settledLook(registry, 1)
  expect(server.requests).toEqual(['/base/schemas/ids/1'])
  await server.down()
  await settledLook(registry, 2)
  expect(other.requests).toEqual(['/schemas/ids/2'])
  other.ids.set(3, int)
  await settledLook(registry, 3)
  expect(other.requests).toHaveLength(2)
  expect(logged).toEqual([])
})

test('shows its credentials to the registry, and to nobody else', async () => {
  server.ids.set(1, int)
  await settledLook(open({ authorization: 'Basic c2VjcmV0' }), 1)
  expect(server.headers.authorization).toBe('Basic c2VjcmV0')
  server.fault = (response) => response.writeHead(403).end('{"error_code":40301,"message":"secret"}')
  expect(await troubleOf(open({ authorization: 'Basic c2VjcmV0' }), 1)).not.toContain('secret')
})

test('connects only to where the rules allow', async () => {
  expect(await troubleOf(open({}, ''), 1)).toMatch(/FERRY_EGRESS_ALLOW/)
  expect(server.requests).toEqual([])
})

test('forgets the schema that was not asked for longest', async () => {
  for (const id of [1, 2, 3, 4]) server.ids.set(id, int)
  const registry = open()
  for (const id of [1, 2, 3]) await settledLook(registry, id)
  look(registry, 1)
  await settledLook(registry, 4)
  expect([1, 3, 4].map((id) => look(registry, id) instanceof SchemaPending)).toEqual([false, false, false])
  expect(look(registry, 2)).toBeInstanceOf(SchemaPending)
})

test('has so many fetches on their way and no more, whatever ids come', async () => {
  const registry = open({ schemasMax: 1000 })
  server.fault = () => {}
  for (let id = 0; id < 200; id++) expect(look(registry, id)).toBeInstanceOf(SchemaPending)
  await vi.waitFor(() => expect(server.requests.length).toBe(16))
  server.fault = undefined
  expect(await settledLook(registry, 199)).toMatch(/^SCHEMA_NOT_FOUND/)
})

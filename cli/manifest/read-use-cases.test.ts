import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { toJson } from '@bufbuild/protobuf'
import { expect, test } from 'vitest'
import { UseCaseSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { differences } from './differences.ts'
import { byPlace, mistakeLine } from './mistake.ts'
import { readUseCases } from './read-use-cases.ts'

const read = (text: string, more: { dir?: string; env?: Record<string, string>; namespace?: string } = {}) => {
  const { dir = '.', env = {}, namespace = 'shop' } = more
  const { manifests, mistakes } = readUseCases([{ name: 'a.yaml', dir, text }], { namespace, env })
  return { manifests, useCases: manifests.map(({ useCase }) => useCase), said: mistakes.sort(byPlace).map(mistakeLine) }
}

const good = `name: orders
spec:
  source: {topic: orders}
  decode: {json: {}}
  destination:
    url: http://localhost:9000/
    headers: {x-a: "1"}
    requestTimeout: 30s
  retry: {max_retries: 3, success_status: ["200-299"]}
`

test('YAML and JSON, one or many to a file, by the names of the contract or of ProtoJSON', () => {
  const json = JSON.stringify([
    { name: 'crm/a', spec: {} },
    { name: 'namespaces/crm/useCases/b', spec: {} },
  ])
  const { useCases, said } = read(`${good}---\n---\n${json}\n`)
  expect(said).toEqual([])
  expect(useCases.map(({ name }) => name)).toEqual([
    'namespaces/shop/useCases/orders',
    'namespaces/crm/useCases/a',
    'namespaces/crm/useCases/b',
  ])
  expect(toJson(UseCaseSchema, useCases[0]!)).toMatchObject({
    spec: { destination: { requestTimeout: '30s', headers: { 'x-a': '1' } }, retry: { maxRetries: 3 } },
  })
})

test('what is output only may stand in a file, and is not sent', () => {
  const { useCases, said } = read(
    `${good}uid: u\nrevision: "7"\netag: old\nstatus: {state: USE_CASE_STATE_ACTIVE}\ncreate_time: 2026-01-31T12:00:00Z\n`,
  )
  expect(said).toEqual([])
  expect(useCases[0]).toMatchObject({ uid: '', revision: 0n, etag: '' })
  expect(useCases[0]!.status).toBeUndefined()
})

test('every mistake is said at once, with file, line and field', () => {
  const { said } = read(`name: orders
spec:
  source: {topc: x}
  decode:
    json:
    text: {}
  destination:
    url: 5
    method: POT
    request_timeout: 1h
    headers: [a]
  retry:
    max_retries: many
    success_status: 200
    schedule: [1s, soon]
  transform:
    - move: {fields: {a: [b]}}
  delivery:
    latest_version_wins: yes
---
name: Orders
---
- 5
`)
  expect(said).toEqual([
    'a.yaml:3: spec.source.topc: there is no such field; did you mean topic?',
    'a.yaml:5: spec.decode.json: has no value: it takes {}',
    'a.yaml:6: spec.decode.text: only one of json, protobuf, schema_registry, avro, text, bytes can be given, and there is json',
    'a.yaml:8: spec.destination.url: must be text, not 5',
    'a.yaml:9: spec.destination.method: must be one of HTTP_METHOD_POST, HTTP_METHOD_PUT, HTTP_METHOD_PATCH, not "POT"',
    'a.yaml:10: spec.destination.request_timeout: must be a duration in seconds, as "30s" or "0.5s", not "1h"',
    'a.yaml:11: spec.destination.headers: must be names with their values',
    'a.yaml:13: spec.retry.max_retries: must be a whole number, not "many"',
    'a.yaml:14: spec.retry.success_status: must be a list',
    'a.yaml:15: spec.retry.schedule[1]: must be a duration in seconds, as "30s" or "0.5s", not "soon"',
    'a.yaml:17: spec.transform[0].move.fields["a"]: must be text',
    'a.yaml:19: spec.delivery.latest_version_wins: must be true or false, not "yes"',
    expect.stringMatching(/^a.yaml:21: name: "Orders" is no name/),
    'a.yaml:21: spec: is missing',
    expect.stringMatching(/^a.yaml:23: must have fields: name, uid/),
  ])
})

test('what is no YAML is said with its line, and a name that stands twice with both', () => {
  expect(read('name: a\nspec: {x: [\n').said[0]).toMatch(/^a.yaml:[23]: /)
  expect(read('name: a\nname: b\nspec: {}\n').said[0]).toMatch(/^a.yaml:2: Map keys must be unique/)
  expect(read(`${good}---\n${good}`).said).toEqual(['a.yaml:11: name: namespaces/shop/useCases/orders is also in a.yaml:1'])
})

test('texts and bytes may be in files of their own, and secrets in the environment', () => {
  const dir = mkdtempSync(join(tmpdir(), 'ferry-cli-'))
  writeFileSync(join(dir, 'schema.binpb'), Buffer.from([1, 2, 255]))
  writeFileSync(join(dir, 'filter.cel'), 'value.id > 0\n')
  const text = `name: orders
spec:
  filter: {file: filter.cel}
  decode: {protobuf: {descriptor_set: {file: schema.binpb}, message: a.B}}
  destination: {auth: {bearer: {token: {value: {env: TOKEN}}}}}
`
  const { useCases, said } = read(text, { dir, env: { TOKEN: 's3cret' } })
  expect(said).toEqual([])
  expect(toJson(UseCaseSchema, useCases[0]!)).toMatchObject({
    spec: {
      filter: 'value.id > 0',
      decode: { protobuf: { descriptorSet: 'AQL/' } },
      destination: { auth: { bearer: { token: { value: 's3cret' } } } },
    },
  })
  expect(read(text, { dir: '/nowhere' }).said).toEqual([
    expect.stringContaining('a.yaml:3: spec.filter: cannot read filter.cel'),
    expect.stringContaining('a.yaml:4: spec.decode.protobuf.descriptor_set: cannot read schema.binpb'),
    'a.yaml:5: spec.destination.auth.bearer.token.value: the environment has no TOKEN',
  ])
})

test('numbers keep all their digits', () => {
  const { useCases, said } = read('name: a\nspec: {source: {topic: t, offsets: {offsets: {0: 9007199254740993}}}}\n')
  expect(said).toEqual([])
  expect(useCases[0]!.spec!.source!.start.value).toMatchObject({ offsets: { 0: 9007199254740993n } })
})

test('differences are found field by field', () => {
  const before = { retry: { max_retries: 3 }, filter: 'a', list: ['x', 'y'], map: { 'x-a': '1' } }
  const after = { retry: { max_retries: 5 }, description: 'd', list: ['x', 'z', 'w'], map: { 'x-a': '2' } }
  expect(differences(before, before)).toEqual([])
  expect(differences(before, after)).toEqual([
    { field: 'spec.retry.max_retries', before: 3, after: 5 },
    { field: 'spec.filter', before: 'a', after: undefined },
    { field: 'spec.list[1]', before: 'y', after: 'z' },
    { field: 'spec.list[2]', before: undefined, after: 'w' },
    { field: 'spec.map["x-a"]', before: '1', after: '2' },
    { field: 'spec.description', before: undefined, after: 'd' },
  ])
})

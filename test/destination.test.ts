import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import http from 'node:http'
import https from 'node:https'
import net, { type AddressInfo, type Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { create } from '@bufbuild/protobuf'
import { durationFromMs } from '@bufbuild/protobuf/wkt'
import { expect, test } from 'vitest'
import { CloudEventsMode } from '../proto/gen/ferry/v1/cloud_events_pb.ts'
import { SecretSchema } from '../proto/gen/ferry/v1/credentials_pb.ts'
import { Outcome, Reason } from '../proto/gen/ferry/v1/delivery_pb.ts'
import { sampleCertificate, selfSignedCertificate } from '../runtime/sample-certificate.ts'
import { certificate } from './harness/certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { type Fleet, fleetOfFile } from './harness/fleet.ts'
import type { Received } from './harness/received.ts'
import { jsonRecords, Topic } from './harness/topic.ts'
import { registerUseCase, specOf } from './harness/use-case.ts'
import { isInstalled, languages, type Signed, verifyAll } from './harness/verifiers.ts'
import { waitUntil } from './harness/wait-until.ts'

const keys = { FERRY_SECRET_KEYS: `one:${Buffer.alloc(32, 7).toString('base64')}` }
const fleetOf = fleetOfFile({ controlPlaneEnv: keys, workerEnv: keys })
const page = await readFile(new URL('../docs/signatures.md', import.meta.url), 'utf8')

const secretOf = (byte: number): string => `whsec_${Buffer.alloc(32, byte).toString('base64')}`
const [oldKey, newKey, otherKey] = [secretOf(1), secretOf(2), secretOf(3)]

const signedOf = ({ headers, body }: Received, secret: string): Signed => ({
  ...{ secret, id: String(headers['webhook-id']), timestamp: String(headers['webhook-timestamp']), body: Buffer.from(body) },
  signature: String(headers['webhook-signature']),
})

/** One record by the old key, at its second attempt; then one by both keys. What the endpoint has got. */
let sent: Promise<{ first: Received; second: Received; both: Received }> | undefined
const requests = (): NonNullable<typeof sent> => {
  sent ??= send(fleetOf())
  return sent
}

async function send(fleet: Fleet) {
  await using endpoint = await Endpoint.start(({ attempt }) => ({ status: attempt === 1 ? 503 : 200 }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  await topic.publish(jsonRecords(1))
  const destination = { url: endpoint.url, signing: { keys: [{ value: oldKey }] } }
  const wait = { initialInterval: durationFromMs(1100), maximumInterval: durationFromMs(1100), jitterRatio: 0 }
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { destination, retry: wait }))
  await certificate(fleet, useCase, 40_000)
  const [first, second] = endpoint.requests as [Received, Received]

  const { useCase: read } = await fleet.client.useCases.getUseCase({ name: useCase.name })
  const { ref } = read!.spec!.destination!.signing!.keys[0]!
  read!.spec!.destination!.signing!.keys = [create(SecretSchema, { value: newKey }), create(SecretSchema, { ref })]
  const { useCase: changed } = await fleet.client.useCases.updateUseCase({ useCase: read! })
  endpoint.behaviour = () => ({})
  // The worker hears of it with one of its next heartbeats.
  const both = await waitUntil('requests have two signatures', 40_000, async () => {
    await topic.publish(jsonRecords(1))
    await certificate(fleet, changed!, 40_000)
    const last = endpoint.requests.at(-1)!
    return signedOf(last, newKey).signature.includes(' ') && last
  })

  const { attempts } = await fleet.client.deliveries.listAttempts({ useCase: useCase.name })
  expect(attempts.length).toBeGreaterThanOrEqual(3)
  for (const { requestHeaders } of attempts) {
    expect(requestHeaders['webhook-id']).toMatch(new RegExp(`^msg_${useCase.uid}_0_[0-9]+$`))
    expect(requestHeaders['webhook-signature']).toBe('***')
  }
  const kept = await fleet.sql.rows(`SELECT * FROM use_case_changes WHERE uid = '${useCase.uid}'`)
  const shown = JSON.stringify([useCase, changed, attempts, kept], (_, value) =>
    typeof value === 'bigint' ? String(value) : value,
  )
  for (const each of [oldKey, newKey]) expect(shown).not.toContain(each.slice(6, 40))
  return { first, second, both }
}

test('every attempt is signed anew under the same id, and with both keys during a change', { concurrent: true }, async () => {
  const { first, second, both } = await requests()
  const [one, two] = [signedOf(first, oldKey), signedOf(second, oldKey)]
  expect(two.id).toBe(one.id)
  expect(Number(two.timestamp)).toBeGreaterThan(Number(one.timestamp))
  expect(signedOf(both, newKey).signature.split(' ')).toHaveLength(2)
})

const installed = new Map(await Promise.all(languages.map(async (each) => [each.name, await isInstalled(each)] as const)))

for (const language of languages) {
  // A language that is not here is skipped, and counts as neither passed nor failed.
  test.skipIf(!installed.get(language.name))(
    `the page's ${language.name} function takes what is signed, and nothing else`,
    { concurrent: true },
    async () => {
      const { second, both } = await requests()
      const good = signedOf(second, oldKey)
      const oldTime = String(Number(good.timestamp) - 400)
      const content = Buffer.concat([Buffer.from(`${good.id}.${oldTime}.`), good.body])
      const tooOld = `v1,${createHmac('sha256', Buffer.alloc(32, 1)).update(content).digest('base64')}`
      const cases: [string, Signed, boolean][] = [
        ['as it was sent', good, true],
        ['both keys: the new one', signedOf(both, newKey), true],
        ['both keys: the old one', signedOf(both, oldKey), true],
        ['another key', { ...good, secret: otherKey }, false],
        ['another body', { ...good, body: Buffer.from(`${good.body} `) }, false],
        ['another id', { ...good, id: `${good.id}0` }, false],
        ['another time', { ...good, timestamp: String(Number(good.timestamp) + 1) }, false],
        ['a time that is none', { ...good, timestamp: 'now' }, false],
        ['too old, and rightly signed', { ...good, timestamp: oldTime, signature: tooOld }, false],
        ['no signature', { ...good, signature: 'v1,' }, false],
      ]
      const answers = await verifyAll(
        language,
        page,
        cases.map(([, signed]) => signed),
      )
      expect(cases.map(([name], at) => [name, answers[at]])).toEqual(cases.map(([name, , right]) => [name, right]))
    },
  )
}

test('an endpoint behind a CA of its own gets requests with a client certificate; by another CA the log says why not', {
  concurrent: true,
}, async () => {
  const fleet = fleetOf()
  const untilMs = Date.now() + 43_200_000
  const ca = selfSignedCertificate('a ca', untilMs)
  const client = sampleCertificate('ferry', untilMs, ca)
  const seen: (string | undefined)[] = []
  const options = { ...sampleCertificate('localhost', untilMs, ca), ca: ca.cert, requestCert: true, rejectUnauthorized: true }
  const server = https.createServer(options, (request, response) => {
    seen.push((request.socket as TLSSocket).getPeerCertificate().subject.CN?.toString())
    request.resume().on('end', () => response.end())
  })
  server.listen(0, 'localhost')
  await once(server, 'listening')
  const url = `https://localhost:${(server.address() as AddressInfo).port}/hook`
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  await topic.publish(jsonRecords(20))
  const register = (caCertificates: string) =>
    registerUseCase(fleet, {
      ...{ source: { topic: topic.name }, decode: { format: { case: 'json', value: {} } } },
      destination: { url, tls: { caCertificates, clientCertificate: client.cert, clientKey: { value: client.key } } },
    })
  const [good, bad] = await Promise.all([register(ca.cert), register(selfSignedCertificate('another ca', untilMs).cert)])
  expect(JSON.stringify(good.spec)).not.toContain('PRIVATE KEY')
  expect(good.spec!.destination!.tls!.clientKey).toMatchObject({ value: '', ref: expect.stringMatching(/^s-/) })
  await certificate(fleet, good, 40_000)
  expect(new Set(seen)).toEqual(new Set(['ferry']))
  const [attempt] = await waitUntil('an attempt has failed', 40_000, async () => {
    const { attempts } = await fleet.client.deliveries.listAttempts({ useCase: bad.name, pageSize: 1 })
    return attempts.length > 0 && attempts
  })
  expect(attempt).toMatchObject({ outcome: Outcome.RETRY, reason: Reason.TLS_FAILED })
  expect(attempt!.error).toMatch(/\(SELF_SIGNED_CERT_IN_CHAIN\)$/)
  await fleet.client.useCases.deleteUseCase({ name: bad.name, force: true })
  server.close()
  server.closeAllConnections()
})

test('records arrive as CloudEvents, those that are events already with their own attributes', { concurrent: true }, async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  const own = { ce_specversion: '1.0', ce_id: 'e-1', ce_source: '/shop', ce_type: 'order.placed', ce_tenant: 'blue' }
  await topic.publish([
    { key: 'käse', value: '{"n": 1.0}', headers: { kind: 'made' } },
    { key: 'k2', value: '2', headers: own },
  ])
  const cloudEvents = { type: 'com.acme.{header:kind}', subject: '{key}', passThrough: true }
  const register = (mode: CloudEventsMode) =>
    registerUseCase(fleet, specOf(topic, endpoint, { destination: { url: endpoint.url, cloudEvents: { ...cloudEvents, mode } } }))
  const batches: string[] = []
  const many = http.createServer((request, response) => {
    let body = ''
    request.on('data', (chunk) => (body += chunk))
    request.on('end', () => {
      batches.push(`${request.headers['content-type']} ${body}`)
      response.end()
    })
  })
  many.listen(0, '127.0.0.1')
  await once(many, 'listening')
  const url = `http://127.0.0.1:${(many.address() as AddressInfo).port}/`
  const together = { url, cloudEvents: { ...cloudEvents, mode: CloudEventsMode.STRUCTURED }, batch: { maxRecords: 2 } }
  const [binary, structured, batched] = await Promise.all([
    register(CloudEventsMode.BINARY),
    register(CloudEventsMode.STRUCTURED),
    registerUseCase(fleet, specOf(topic, endpoint, { destination: together })),
  ])
  await Promise.all([binary, structured, batched].map((each) => certificate(fleet, each, 40_000)))
  many.close()
  many.closeAllConnections()
  const byOffset = (useCase: typeof binary) => [...endpoint.of(useCase).requests].sort((a, b) => a.offset - b.offset)
  const [made, placed] = byOffset(binary) as [Received, Received]
  expect(made.body).toBe('{"n": 1.0}')
  expect(made.headers).toMatchObject({
    ...{ 'content-type': 'application/json', 'ce-specversion': '1.0', 'ce-id': `${topic.name}/0/0`, 'ce-type': 'com.acme.made' },
    ...{
      'ce-source': `/${binary.name}`,
      'ce-subject': 'k%C3%A4se',
      'ce-partitionkey': 'k%C3%A4se',
      'ce-time': expect.any(String),
    },
  })
  expect(placed.headers).toMatchObject({
    'ce-id': 'e-1',
    'ce-type': 'order.placed',
    'ce-tenant': 'blue',
    'ce-partitionkey': 'k2',
  })
  const [event, passed] = byOffset(structured)
  expect(event!.headers['content-type']).toBe('application/cloudevents+json; charset=utf-8')
  expect(event!.body).toMatch(/"data":\{"n": 1\.0\}\}$/)
  expect(JSON.parse(event!.body)).toMatchObject({ source: `/${structured.name}`, type: 'com.acme.made', subject: 'käse' })
  expect(JSON.parse(passed!.body)).toMatchObject({ id: 'e-1', source: '/shop', tenant: 'blue', data: 2 })
  const { attempts } = await fleet.client.deliveries.listAttempts({ useCase: structured.name })
  expect(attempts.map((each) => String(each.requestBody))).toContain(event!.body)
  expect(batches).toEqual([
    `application/cloudevents-batch+json; charset=utf-8 [${event!.body.replace(structured.name, batched.name)},${passed!.body}]`,
  ])
})

test('an endpoint that only a proxy can resolve is reached through it, with a password that nobody else sees', {
  concurrent: true,
}, async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  await topic.publish(jsonRecords(20))
  const asked: (string | undefined)[] = []
  const proxy = http.createServer().on('connect', (request: http.IncomingMessage, socket: Socket) => {
    asked.push(request.url, request.headers['proxy-authorization'])
    const through = net.connect(endpoint.port, '127.0.0.1', () => socket.write('HTTP/1.1 200 OK\r\n\r\n'))
    through.on('error', () => socket.destroy()).pipe(socket)
    socket.on('error', () => through.destroy()).pipe(through)
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const via = {
    url: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`,
    username: 'ferry',
    password: { value: 'hunter2' },
  }
  const destination = { url: 'http://orders.example:8080/hook', proxy: via }
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { destination }))
  expect(useCase.spec!.destination!.proxy!.password).toMatchObject({ value: '', ref: expect.stringMatching(/^s-/) })
  expect(await certificate(fleet, useCase, 40_000)).toMatchObject({ delivered: 20, failed: 0, attempts: 20 })
  const credentials = `Basic ${Buffer.from('ferry:hunter2').toString('base64')}`
  expect(new Set(asked)).toEqual(new Set(['orders.example:8080', credentials]))
  expect(endpoint.requests[0]!.headers['host']).toBe('orders.example:8080')
  proxy.close()
  proxy.closeAllConnections()
})

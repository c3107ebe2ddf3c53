import { once } from 'node:events'
import https, { type ServerOptions } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { afterEach, describe, expect, test } from 'vitest'
import { TlsSchema } from '../../proto/gen/ferry/v1/credentials_pb.ts'
import { Reason } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { readEgressRules } from '../../runtime/egress-rules.ts'
import { sampleCertificate, selfSignedCertificate } from '../../runtime/sample-certificate.ts'
import { classifyError } from './classify.ts'
import { compileTls } from './compile-tls.ts'
import { guardedConnector } from './egress-guard.ts'
import { Flight, type Target } from './flight.ts'

type Given = Exclude<MessageInitShape<typeof TlsSchema>, { $typeName: string }>

const dayMs = 86_400_000
const soonMs = Date.now() + dayMs / 2
const ca = selfSignedCertificate('a ca', soonMs)
const otherCa = selfSignedCertificate('another ca', soonMs)
const local = sampleCertificate('localhost', soonMs, ca)
const client = sampleCertificate('ferry', soonMs, ca)
const byCa: Given = { caCertificates: ca.cert }

const servers: https.Server[] = []
const flights: Flight<string>[] = []
afterEach(() => {
  for (const flight of flights.splice(0)) flight.close()
  for (const server of servers.splice(0)) {
    server.close()
    server.closeAllConnections()
  }
})

/** What the endpoint saw of each request: whose certificate, by which name, on which connection. */
interface Seen {
  readonly client: string | undefined
  readonly name: string | false | null | undefined
  readonly connection: number
}

async function serve(options: ServerOptions, hold?: Promise<void>) {
  const seen: Seen[] = []
  const connections = new Map<unknown, number>()
  const server = https.createServer(options, async (request, response) => {
    const socket = request.socket as TLSSocket
    if (!connections.has(socket)) connections.set(socket, connections.size)
    const subject = socket.getPeerCertificate().subject as { CN?: string } | undefined
    seen.push({ client: subject?.CN, name: (socket as { servername?: string }).servername, connection: connections.get(socket)! })
    await hold
    response.end('done')
  })
  servers.push(server)
  server.listen(0, 'localhost')
  await once(server, 'listening')
  return { seen, origin: `https://localhost:${(server.address() as AddressInfo).port}` }
}

const targetOf = (origin: string, tls?: Given): Target => ({
  ...{ origin, path: '/', method: 'POST', requestTimeoutMs: 5000, responseBodyBytesMax: 100 },
  connect: guardedConnector(readEgressRules('loopback'), {
    timeout: 2000,
    ...compileTls('tls', tls && create(TlsSchema, tls)),
  }),
})

/** One request slot: each call is one request. */
function slot() {
  let land: (flight: Flight<string>) => void = () => {}
  const send = (target: Target): Promise<Flight<string>> => {
    const landed = new Promise<Flight<string>>((done) => {
      land = done
    })
    flights[at]!.send(target, [], Buffer.from('1'), performance.now())
    return landed
  }
  const at =
    flights.push(
      new Flight(
        targetOf('https://localhost:1'),
        'load',
        (flight) => land(flight),
        () => true,
      ),
    ) - 1
  return send
}

const failureOf = async (origin: string, tls?: Given) => {
  const { status, error } = await slot()(targetOf(origin, tls))
  return status === 0 ? classifyError(error) : `status ${status}`
}

describe('an endpoint whose certificate', () => {
  test('leads to the given CA is trusted, and by nobody else', async () => {
    const { origin } = await serve(local)
    expect(await failureOf(origin, byCa)).toBe('status 200')
    expect(await failureOf(origin)).toEqual({
      ...{ reason: Reason.TLS_FAILED, text: 'unable to verify the first certificate (UNABLE_TO_VERIFY_LEAF_SIGNATURE)' },
    })
    expect(await failureOf(origin, { caCertificates: otherCa.cert })).toEqual({
      ...{ reason: Reason.TLS_FAILED, text: 'unable to verify the first certificate (UNABLE_TO_VERIFY_LEAF_SIGNATURE)' },
    })
    expect(await failureOf(origin, { caCertificates: otherCa.cert + ca.cert })).toBe('status 200')
  })

  test('has signed itself is trusted when it is the given one', async () => {
    const own = selfSignedCertificate('localhost', soonMs)
    const { origin } = await serve(own)
    expect(await failureOf(origin, { caCertificates: own.cert })).toBe('status 200')
    expect(await failureOf(origin, byCa)).toMatchObject({ reason: Reason.TLS_FAILED, text: expect.stringMatching(/SELF_SIGNED/) })
  })

  test('has expired is refused', async () => {
    const { origin } = await serve(sampleCertificate('localhost', Date.now() - 1000, ca))
    expect(await failureOf(origin, byCa)).toEqual({
      reason: Reason.TLS_FAILED,
      text: 'certificate has expired (CERT_HAS_EXPIRED)',
    })
  })

  test('has another name is refused, unless that is the name to ask for', async () => {
    const { origin, seen } = await serve(sampleCertificate('inner.example', soonMs, ca))
    const refused = await failureOf(origin, byCa)
    expect(refused).toMatchObject({
      reason: Reason.TLS_FAILED,
      text: expect.stringMatching(/localhost.*\(ERR_TLS_CERT_ALTNAME_INVALID\)$/),
    })
    expect(await failureOf(origin, { ...byCa, serverName: 'inner.example' })).toBe('status 200')
    expect(seen.map((each) => each.name)).toEqual(['inner.example'])
    expect(await failureOf(origin, { ...byCa, serverName: 'outer.example' })).toMatchObject({ reason: Reason.TLS_FAILED })
  })
})

describe('an endpoint that asks for a client certificate', () => {
  const asking = { ...local, ca: ca.cert, requestCert: true, rejectUnauthorized: true }
  const own: Given = { clientCertificate: client.cert, clientKey: { value: client.key } }

  test('gets it', async () => {
    const { origin, seen } = await serve(asking)
    expect(await failureOf(origin, { ...byCa, ...own })).toBe('status 200')
    expect(seen.map((each) => each.client)).toEqual(['ferry'])
  })

  test.each(['TLSv1.2', 'TLSv1.3'] as const)('refuses who has none, by %s, and the log says so', async (version) => {
    const { origin } = await serve({ ...asking, minVersion: version, maxVersion: version })
    const text = expect.stringMatching(/alert (handshake failure|certificate required) \(ERR_SSL_/)
    expect(await failureOf(origin, byCa)).toMatchObject({ reason: Reason.TLS_FAILED, text })
  })

  test('refuses a certificate of another CA; servers that close without a word, as Node does, leave nothing to tell', async () => {
    const { origin, seen } = await serve(asking)
    const { cert, key } = sampleCertificate('ferry', soonMs, otherCa)
    expect(await failureOf(origin, { ...byCa, clientCertificate: cert, clientKey: { value: key } })).toEqual({
      ...{ reason: Reason.CONNECTION_RESET, text: 'other side closed (UND_ERR_SOCKET)' },
    })
    expect(seen).toEqual([])
  })
})

test('with an update the request on its way ends by the old settings, and the next one goes by the new ones', async () => {
  let release: () => void = () => {}
  const hold = new Promise<void>((done) => {
    release = done
  })
  const { origin, seen } = await serve({ ...local, ca: ca.cert, requestCert: true, rejectUnauthorized: false }, hold)
  const [one, two] = ['one', 'two'].map((name) => sampleCertificate(name, soonMs, ca)) as [typeof client, typeof client]
  const by = ({ cert, key }: typeof client) => targetOf(origin, { ...byCa, clientCertificate: cert, clientKey: { value: key } })
  const [before, after] = [by(one), by(two)]
  const [first, second] = [slot(), slot()]
  const slow = first(before)
  await expect.poll(() => seen.length).toBe(1)
  const fresh = second(after)
  await expect.poll(() => seen.length).toBe(2)
  release()
  expect([(await slow).status, (await fresh).status]).toEqual([200, 200])
  expect([(await first(after)).status, (await first(after)).status]).toEqual([200, 200])
  expect(seen.map((each) => each.client)).toEqual(['one', 'two', 'two', 'two'])
  expect(seen[3]!.connection).toBe(seen[2]!.connection)
})

test('what was not checked is no crash, and has nothing of the key', () => {
  const compile = (tls: Given) => () => compileTls('tls', create(TlsSchema, tls))
  expect(compile({ clientCertificate: client.cert })).toThrow(/tls\.client_key is not set/)
  expect(compile({ clientCertificate: client.cert, clientKey: { value: otherCa.key } })).toThrow(/tls is not usable: .*key/)
  expect(compile({ clientCertificate: client.cert, clientKey: { value: 'hunter2' } })).not.toThrow(/hunter2/)
})

import { request as httpsRequest } from 'node:https'
import { connect as tlsConnect } from 'node:tls'
import { Code, createClient, type Transport } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { UseCaseService } from '../../proto/gen/ferry/v1/use_case_service_pb.ts'
import { createGrpcJsTransport, type GrpcTls } from '../../proto/grpc-transport.ts'
import { type SampleCertificate, sampleCertificate, selfSignedCertificate } from '../../runtime/sample-certificate.ts'
import { CallBudget } from '../access/call-budget.ts'
import { readCertificateRoles } from '../access/certificate-roles.ts'
import { Gate } from '../access/gate.ts'
import { hashOf, newSecret } from '../access/token-secret.ts'
import { silentLog } from '../store/sample-control.ts'
import { serve } from './serve.ts'
import { callerOf } from './who-calls.ts'

const untilMs = Date.now() + 86_400_000
const serverName = 'ferry.test'
const own = selfSignedCertificate(serverName, untilMs)
const clientCa = selfSignedCertificate('clients.test', untilMs)
const ci = sampleCertificate('ci.test', untilMs, clientCa)
const stranger = sampleCertificate('ci.test', untilMs, selfSignedCertificate('clients.test', untilMs))
const nobody = sampleCertificate('nobody.test', untilMs, clientCa)
const adminToken = newSecret()

let current = own
const changed: (() => void)[] = []
let server: Awaited<ReturnType<typeof serve>>
const opened: { close(): void }[] = []

beforeAll(async () => {
  const gate = new Gate({
    ...{ open: false, adminHashes: new Set([hashOf(adminToken)]), tokens: { find: async () => undefined } },
    certificates: readCertificateRoles('cn:ci.test=viewer@shop'),
    handOver: { sign: async () => '', verify: async () => undefined },
    budget: new CallBudget({ callsPerSecondMax: 1000, monotonicMs: () => performance.now() }),
  })
  const address = { host: '127.0.0.1', port: 0 }
  server = await serve({
    services: [[UseCaseService, { getUseCase: (_, context) => ({ useCase: { name: callerOf(context).actor } }) }]],
    tls: {
      options: () => ({ cert: current.cert, key: current.key, ca: clientCa.cert }),
      onChange: (each) => void changed.push(each),
    },
    ...{ grpc: address, http: address, gate, log: silentLog, registry: new Registry(), ready: () => [] },
  })
})
afterAll(async () => {
  for (const each of opened) each.close()
  await server?.stop(1000)
})

function overGrpc(shown?: SampleCertificate, ca = own, name = serverName): Transport {
  const tls: GrpcTls = { ca: ca.cert, cert: shown?.cert ?? '', key: shown?.key ?? '', serverName: name }
  const transport = createGrpcJsTransport(`127.0.0.1:${server.grpcPort}`, { tls, callTimeoutMs: 5000 })
  opened.push(transport)
  return transport
}

function overHttp(shown?: SampleCertificate, ca = own, name = serverName): Transport {
  const nodeOptions = { ca: ca.cert, servername: name, ...(shown && { cert: shown.cert, key: shown.key }) }
  return createConnectTransport({ baseUrl: `https://127.0.0.1:${server.httpPort}`, httpVersion: '1.1', nodeOptions })
}

const ways = [
  ['gRPC', overGrpc],
  ['HTTP', overHttp],
] as const

const ask = async (transport: Transport, token?: string) => {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const name = 'namespaces/shop/useCases/orders'
  return (await createClient(UseCaseService, transport).getUseCase({ name }, { headers, timeoutMs: 5000 })).useCase!.name
}

test.each(ways)(
  'over %s a client certificate says who calls, a token does as well, and a stranger is not heard',
  async (_, over) => {
    expect(await ask(over(ci))).toBe('certificates/cn:ci.test')
    expect(await ask(over(), adminToken)).toBe('admin')
    await expect(ask(over())).rejects.toThrow('who calls?')
    await expect(ask(over(stranger), adminToken)).rejects.toThrow()
    await expect(ask(over(nobody))).rejects.toMatchObject({
      ...{
        code: Code.Unauthenticated,
        message: expect.stringContaining('no role is configured for this client certificate (cn:nobody.test)'),
      },
    })
    const foreign = createClient(UseCaseService, over(ci)).getUseCase({ name: 'namespaces/pay/useCases/orders' })
    await expect(foreign).rejects.toMatchObject({ code: Code.PermissionDenied })
  },
)

test.each(ways)(
  'over %s a client does not talk to a server with another certificate or name, and plain text is not served',
  async (_, over) => {
    await expect(ask(over(ci, clientCa))).rejects.toThrow()
    await expect(ask(over(ci, own, 'other.test'))).rejects.toThrow()
    const plain = createGrpcJsTransport(`127.0.0.1:${server.grpcPort}`, { callTimeoutMs: 2000 })
    opened.push(plain)
    await expect(ask(plain, adminToken)).rejects.toMatchObject({ code: Code.Unavailable })
    await expect(fetch(`http://127.0.0.1:${server.httpPort}/healthz`)).rejects.toThrow()
  },
)

/** The certificate that a new connection is shown. */
const shownBy = (port: number) =>
  new Promise<string>((resolve, reject) => {
    const socket = tlsConnect({ host: '127.0.0.1', port, rejectUnauthorized: false, ALPNProtocols: ['h2', 'http/1.1'] }, () => {
      resolve(socket.getPeerX509Certificate()!.fingerprint256)
      socket.destroy()
    })
    socket.on('error', reject)
  })

test('a new certificate is shown to new connections on both ports, and those that are there go on', async () => {
  const before = [overGrpc(ci), overHttp(ci)]
  for (const each of before) await ask(each)
  const old = await Promise.all([server.grpcPort, server.httpPort].map(shownBy))
  current = selfSignedCertificate(serverName, untilMs)
  for (const each of changed) each()
  const now = await Promise.all([server.grpcPort, server.httpPort].map(shownBy))
  expect(now[0]).toBe(now[1])
  expect(now[0]).not.toBe(old[0])
  expect(await ask(before[0]!)).toBe('certificates/cn:ci.test')
  for (const [, over] of ways) {
    expect(await ask(over(ci, current))).toBe('certificates/cn:ci.test')
    await expect(ask(over(stranger, current), adminToken)).rejects.toThrow()
  }
})

test('probes and metrics need no certificate', async () => {
  for (const path of ['/healthz', '/readyz', '/metrics']) {
    const status = await new Promise((resolve, reject) => {
      const options = { host: '127.0.0.1', port: server.httpPort, path, ca: current.cert, servername: serverName }
      httpsRequest(options, (answer) => resolve(answer.resume().statusCode))
        .on('error', reject)
        .end()
    })
    expect(status, path).toBe(200)
  }
})

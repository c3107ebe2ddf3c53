import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { createTopic } from '../deploy/local/create-topic.ts'
import { freePort } from '../deploy/local/free-port.ts'
import type { Stack } from '../deploy/local/stack.ts'
import { privateStack } from '../test/stack.ts'
import type { Chunk, PartitionSink } from '../worker/source/partition.ts'
import { Source } from '../worker/source/source.ts'
import { connectKafka, openCluster } from './kafka.ts'
import type { KafkaClusterConfig } from './kafka-clusters.ts'
import type { Logger } from './log.ts'
import { selfSignedCertificate } from './sample-certificate.ts'

const silent = { info: () => {}, warn: () => {}, debug: () => {} } as unknown as Logger
const topic = 'secured'
const directory = mkdtempSync(join(tmpdir(), 'ferry-secured-'))
const good = selfSignedCertificate('localhost', Date.now() + 86_000_000)
const scramUsers = [
  { mechanism: 'SCRAM-SHA-256', name: 'ferry-256', password: 's3cret-256' },
  { mechanism: 'SCRAM-SHA-512', name: 'ferry-512', password: 's3cret-512' },
] as const
const user = { mechanism: 'PLAIN', username: 'ferry', password: 's3cret-word', tokenUrl: '', scope: '' } as const

let stack: Stack & AsyncDisposable
let ports: { plain: number; sasl: number; tls: number; both: number; controller: number }

beforeAll(async () => {
  const [plain, sasl, tls, both, controller] = await Promise.all([1, 2, 3, 4, 5].map(freePort))
  ports = { plain: plain!, sasl: sasl!, tls: tls!, both: both!, controller: controller! }
  const keyStore = join(directory, 'broker.pem')
  const trustStore = join(directory, 'ca.pem')
  writeFileSync(keyStore, good.key + good.cert)
  writeFileSync(trustStore, good.cert)
  const open = `PLAINTEXT://127.0.0.1:${plain},SASL_PLAINTEXT://localhost:${sasl},SSL://localhost:${tls},SASL_SSL://localhost:${both}`
  const jaas = `org.apache.kafka.common.security.plain.PlainLoginModule required user_${user.username}="${user.password}";`
  const scramJaas = 'org.apache.kafka.common.security.scram.ScramLoginModule required;'
  stack = await privateStack({
    kafka: true,
    ports: { kafka: plain! },
    kafkaUsers: scramUsers,
    kafkaProperties: {
      'controller.quorum.voters': `1@127.0.0.1:${controller}`,
      listeners: `${open},CONTROLLER://127.0.0.1:${controller}`,
      'advertised.listeners': open,
      'listener.security.protocol.map':
        'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL',
      'sasl.enabled.mechanisms': 'PLAIN',
      'listener.name.sasl_plaintext.sasl.enabled.mechanisms': 'PLAIN,OAUTHBEARER,SCRAM-SHA-256,SCRAM-SHA-512',
      'listener.name.sasl_plaintext.scram-sha-256.sasl.jaas.config': scramJaas,
      'listener.name.sasl_plaintext.scram-sha-512.sasl.jaas.config': scramJaas,
      'listener.name.sasl_plaintext.plain.sasl.jaas.config': jaas,
      // Takes tokens that nobody has signed.
      'listener.name.sasl_plaintext.oauthbearer.sasl.jaas.config':
        'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";',
      'listener.name.sasl_ssl.plain.sasl.jaas.config': jaas,
      'ssl.keystore.type': 'PEM',
      'ssl.keystore.location': keyStore,
      'ssl.truststore.type': 'PEM',
      'ssl.truststore.location': trustStore,
      'listener.name.ssl.ssl.client.auth': 'required',
    },
  })
  const admin = connectKafka({ name: 'default', brokers: [`127.0.0.1:${plain}`] }, 'test', 5000, silent).kafka.admin()
  await admin.connect()
  await createTopic(admin, { topic, numPartitions: 1, replicationFactor: 1 })
  await admin.disconnect()
}, 60_000)
afterAll(async () => {
  await stack?.[Symbol.asyncDispose]()
  rmSync(directory, { recursive: true, force: true })
})

const at = (port: number): string[] => [`localhost:${port}`]

/** Writes a record and reads it by the worker's own fetch. */
async function carry(config: KafkaClusterConfig): Promise<string[]> {
  const client = connectKafka(config, 'test', 5000, silent)
  const producer = client.kafka.producer()
  await producer.connect()
  await producer.send({ topic, messages: [{ value: config.name }] })
  await producer.disconnect()
  const source = new Source(client, { fetchWaitMs: 50, fetchBytesMax: 1 << 20 }, silent)
  const chunks: Chunk[] = []
  const sink = {
    ...{ bind: async (id: string) => id, recreated: () => {}, outOfRange: () => undefined, trouble: () => {} },
    read: (given: readonly Chunk[]) => void chunks.push(...given),
  } satisfies PartitionSink
  source.open(topic, 0, 0, { readCommitted: true, bytesMax: 1 << 20 }, sink)
  const values = () => chunks.flatMap(({ records }) => records.map((each) => String(each.value)))
  await vi.waitFor(() => expect(values()).toContain(config.name), 10_000)
  await source.stop()
  return values()
}

async function refusal(config: KafkaClusterConfig): Promise<string> {
  const open = openCluster(connectKafka(config, 'test', 5000, silent))
  const error = await open.connect().then(
    () => undefined,
    (reason: unknown) => reason,
  )
  await open.disconnect().catch(() => {})
  return error === undefined ? 'connected' : open.describe(error)
}

test('records go over SASL, over TLS with a client certificate, and over both', async () => {
  expect(await carry({ name: 'sasl', brokers: at(ports.sasl), sasl: user })).toContain('sasl')
  expect(await carry({ name: 'mtls', brokers: at(ports.tls), tls: { ca: good.cert, ...good } })).toContain('mtls')
  expect(await carry({ name: 'both', brokers: at(ports.both), tls: { ca: good.cert }, sasl: user })).toContain('both')
}, 60_000)

test.each(scramUsers)(
  'records go over $mechanism, and a wrong password or user is refused',
  async ({ mechanism, name, password }) => {
    const sasl = { mechanism, username: name, password, tokenUrl: '', scope: '' }
    expect(await carry({ name: mechanism, brokers: at(ports.sasl), sasl })).toContain(mechanism)
    for (const wrong of [{ password: 'wr0ng-word' }, { username: 'nobody' }]) {
      const said = await refusal({ name: 'west', brokers: at(ports.sasl), sasl: { ...sasl, ...wrong } })
      expect(said).toContain('FERRY_KAFKA_WEST_SASL_PASSWORD')
      expect(said).not.toMatch(/wr0ng-word|s3cret/)
    }
  },
  60_000,
)

test('a wrong password and a wrong CA are named, with what to do, and no secret', async () => {
  const wrong = { name: 'west', brokers: at(ports.sasl), sasl: { ...user, password: 'wr0ng-word' } }
  const said = await refusal(wrong)
  expect(said).toContain('FERRY_KAFKA_WEST_SASL_PASSWORD')
  expect(said).not.toMatch(/wr0ng-word|s3cret-word/)
  const stranger = selfSignedCertificate('localhost', Date.now() + 86_000_000).cert
  expect(await refusal({ name: 'default', brokers: at(ports.both), tls: { ca: stranger }, sasl: user })).toContain(
    'FERRY_KAFKA_TLS_CA_FILE',
  )
}, 60_000)

test('records go with the token of an OAuth server; what the server refuses is named, with what to do', async () => {
  const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const answer = { status: 200 }
  const server = createServer((request, response) => {
    request.resume()
    const now = Math.floor(Date.now() / 1000)
    const token = `${part({ alg: 'none' })}.${part({ sub: 'ferry', iat: now - 10, exp: now + 600 })}.`
    const granted = { access_token: token, token_type: 'Bearer', expires_in: 600 }
    response.writeHead(answer.status).end(JSON.stringify(answer.status === 200 ? granted : { error: 'invalid_client' }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const tokenUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`
  const sasl = { mechanism: 'OAUTHBEARER', username: 'ferry', password: 's3cret-word', tokenUrl, scope: '' } as const
  expect(await carry({ name: 'oauth', brokers: at(ports.sasl), sasl })).toContain('oauth')
  answer.status = 401
  const byServer = await refusal({ name: 'west', brokers: at(ports.sasl), sasl })
  expect(byServer).toMatch(/the OAuth server at .* answered 401 \(invalid_client\): look at FERRY_KAFKA_WEST_OAUTH_TOKEN_URL/)
  expect(byServer).not.toContain('s3cret-word')
  server.close()
}, 60_000)

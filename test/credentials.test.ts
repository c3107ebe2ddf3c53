import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Code, ConnectError } from '@connectrpc/connect'
import { expect, test } from 'vitest'
import { Outcome, Reason } from '../proto/gen/ferry/v1/delivery_pb.ts'
import { LaneCondition } from '../proto/gen/ferry/v1/lane_pb.ts'
import { certificate } from './harness/certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { fleetOfFile } from './harness/fleet.ts'
import { jsonRecords, Topic } from './harness/topic.ts'
import { newName, registerUseCase, specOf } from './harness/use-case.ts'
import { waitUntil } from './harness/wait-until.ts'

const keys = { FERRY_SECRET_KEYS: `one:${Buffer.alloc(32, 7).toString('base64')}` }
const fleetOf = fleetOfFile({ controlPlaneEnv: keys, workerEnv: keys })
const word = 'correct-horse-battery'

/** A token endpoint: gives token-1, token-2, ... or answers 503 while it is down. */
async function startTokens() {
  const state = { given: 0, isDown: false, asked: 0 }
  const server = createServer((request, response) => {
    request.resume()
    state.asked++
    if (state.isDown) response.writeHead(503).end()
    else response.end(JSON.stringify({ access_token: `token-${++state.given}`, token_type: 'Bearer', expires_in: 3600 }))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const tokenUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`
  const auth = {
    scheme: { case: 'oauth2' as const, value: { tokenUrl, clientId: 'ferry', clientSecret: { value: word } } },
  }
  return { state, auth, [Symbol.asyncDispose]: async () => void server.close() }
}

test.each([
  ['bearer', { case: 'bearer' as const, value: { token: { value: word } } }, 'authorization', `Bearer ${word}`],
  [
    'basic',
    { case: 'basic' as const, value: { username: 'blue', password: { value: word } } },
    'authorization',
    `Basic ${Buffer.from(`blue:${word}`).toString('base64')}`,
  ],
  ['api_key', { case: 'apiKey' as const, value: { headers: { 'X-Api-Key': { value: word } } } }, 'x-api-key', word],
])('%s reaches the endpoint, and is in no answer, log or table', async (_name, scheme, header, expected) => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  await topic.publish(jsonRecords(3))
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { destination: { url: endpoint.url, auth: { scheme } } }))
  await certificate(fleet, useCase, 20_000)
  expect(endpoint.requests.map((each) => each.headers[header])).toEqual([expected, expected, expected])
  const { attempts } = await fleet.client.deliveries.listAttempts({ useCase: useCase.name })
  expect(attempts.map((each) => each.requestHeaders[header])).toEqual(['***', '***', '***'])
  const shown = await fleet.client.useCases.getUseCase({ name: useCase.name })
  const kept = await fleet.sql.rows(`SELECT * FROM use_case_changes WHERE uid = '${useCase.uid}'`)
  expect(kept).toHaveLength(1)
  const encoded = Buffer.from(word).toString('base64').slice(0, -4)
  for (const text of [JSON.stringify([useCase, shown, attempts], bigintAsText), JSON.stringify(kept)]) {
    expect(text).not.toContain(word)
    expect(text).not.toContain(encoded)
  }
})

const bigintAsText = (_name: string, value: unknown): unknown => (typeof value === 'bigint' ? String(value) : value)

test('a token is fetched once for all requests; taken back it is fetched once more, and no delivery pays a retry', async () => {
  const fleet = fleetOf()
  await using tokens = await startTokens()
  const good = { authorization: 'Bearer token-1' }
  await using endpoint = await Endpoint.start(({ headers }) => ({
    status: headers['authorization'] === good.authorization ? 200 : 401,
    delayMs: 5,
  }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
  await topic.publish(jsonRecords(200))
  const spec = specOf(topic, endpoint, { destination: { url: endpoint.url, auth: tokens.auth } })
  const useCase = await registerUseCase(fleet, { ...spec, retry: { ...spec.retry, maxRetries: 1 } })
  await certificate(fleet, useCase, 20_000)
  expect(tokens.state.given).toBe(1)
  good.authorization = 'Bearer token-2'
  await topic.publish(jsonRecords(200))
  expect(await certificate(fleet, useCase, 20_000)).toMatchObject({ published: 400, delivered: 400, failed: 0, missing: 0 })
  expect(tokens.state.given).toBe(2)
  const { attempts } = await fleet.client.deliveries.listAttempts({ useCase: useCase.name, pageSize: 1000 })
  const refused = attempts.filter((each) => each.status === 401)
  expect(refused.length).toBeGreaterThan(0)
  for (const each of refused) expect(each).toMatchObject({ outcome: Outcome.RETRY, reason: Reason.TOKEN_REFUSED })
})

test('while no token can be had nothing is sent and the lane says why; then everything goes out at its first attempt', async () => {
  const fleet = fleetOf()
  await using tokens = await startTokens()
  tokens.state.isDown = true
  await using endpoint = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  await topic.publish(jsonRecords(50))
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { destination: { url: endpoint.url, auth: tokens.auth } }))
  await waitUntil('its lane says that there is no token', 20_000, async () => {
    const { lanes } = await fleet.client.fleet.listLanes({ useCase: useCase.name })
    return lanes.some(
      ({ condition, message }) => condition === LaneCondition.CREDENTIALS_UNAVAILABLE && /answered 503/.test(message),
    )
  })
  expect(endpoint.requests).toEqual([])
  tokens.state.isDown = false
  expect(await certificate(fleet, useCase, 40_000)).toMatchObject({ published: 50, delivered: 50, attempts: 50, missing: 0 })
})

test('a credential in the headers is refused, with where it belongs', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  const spec = specOf(topic, endpoint, { destination: { url: endpoint.url, headers: { authorization: `Bearer ${word}` } } })
  const call = fleet.client.useCases.createUseCase({ useCase: { name: newName(), spec }, validateOnly: true })
  const error = ConnectError.from(await call.catch((thrown: unknown) => thrown))
  expect(error.code).toBe(Code.InvalidArgument)
  expect(error.message).toMatch(/headers\["authorization"\] carries a credential.*give it as auth/)
  expect(error.message).not.toContain(word)
})

test('secrets stay when a definition is read, changed and given back', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  const auth = { scheme: { case: 'bearer' as const, value: { token: { value: word } } } }
  const { name } = await registerUseCase(fleet, specOf(topic, endpoint, { destination: { url: endpoint.url, auth } }))
  const { useCase } = await fleet.client.useCases.getUseCase({ name })
  useCase!.spec!.destination!.headers['x-team'] = 'green'
  const { useCase: changed } = await fleet.client.useCases.updateUseCase({ useCase: useCase! })
  expect(changed!.revision).toBeGreaterThan(useCase!.revision)
  // Its worker hears of the change a heartbeat later.
  await waitUntil('a request has what was changed', 20_000, async () => {
    await topic.publish(jsonRecords(1))
    return endpoint.requests.at(-1)?.headers['x-team'] === 'green'
  })
  expect(endpoint.requests.map(({ headers }) => headers['authorization'])).toEqual(endpoint.requests.map(() => `Bearer ${word}`))
})

import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { Outcome, Reason } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { readEgressRules } from '../../runtime/egress-rules.ts'
import { compileRoute, type Route } from '../deliver/route.ts'
import { sampleMeans, sampleUseCase } from '../lane/sample-route.ts'
import { previewRecord } from './preview-record.ts'
import { sendOnce } from './send-once.ts'

const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

async function urlOf(answer: RequestListener): Promise<string> {
  const server = createServer(answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closing.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/x`
}

async function sent(url: string, timeoutMs = 5000, route: Route = compileRoute(sampleUseCase('KEY', url), sampleMeans)) {
  const record = { offset: '0', timestamp: '0', key: null, value: Buffer.from('{}'), headers: {} }
  const id = { uid: 'test-1', cluster: 'default', topic: 't', partition: 0 }
  const { preview, load } = await previewRecord(record, { route, id, nowMs: 0, bytesMax: 100 })
  return sendOnce(route, load!, preview, timeoutMs)
}

test.each([
  [200, Outcome.DELIVERED, Reason.UNSPECIFIED],
  [503, Outcome.RETRY, Reason.RETRYABLE_STATUS],
  [422, Outcome.FAILED, Reason.NON_RETRYABLE_STATUS],
])('answers what %i would mean', async (status, outcome, reason) => {
  const url = await urlOf((_request, response) => response.writeHead(status, { 'X-Why': ['a', 'b'] }).end('because'))
  expect(await sent(url)).toMatchObject({
    ...{ status, outcome, reason, responseBody: 'because', responseBytes: 7n, error: '' },
    ...{ responseHeaders: { 'x-why': 'a, b' }, record: { request: { url, body: '{}' } } },
  })
})

test('does not wait longer than its caller does', async () => {
  const url = await urlOf(() => {})
  const answer = await sent(url, 50)
  expect(answer).toMatchObject({ status: 0, outcome: Outcome.RETRY, reason: Reason.TIMEOUT })
  expect(answer.error).toMatch(/^no whole answer within \d+ ms$/)
})

test('says why no connection comes about, also when Ferry itself does not allow it', async () => {
  expect(await sent('http://127.0.0.1:1/x')).toMatchObject({ status: 0, reason: Reason.CONNECTION_FAILED })
  const blocked = compileRoute(sampleUseCase('KEY', 'http://127.0.0.1:1/x'), { ...sampleMeans, egress: readEgressRules('') })
  const answer = await sent('', 5000, blocked)
  expect(answer).toMatchObject({ status: 0, reason: Reason.ENDPOINT_BLOCKED, error: expect.stringContaining('127.0.0.1') })
})

test('of a use case with batches, sends a batch of one, and believes what the answer says of its record', async () => {
  const bodies: string[] = []
  const url = await urlOf((request, response) => {
    request.on('data', (chunk) => bodies.push(String(chunk)))
    request.on('end', () => response.end('{"failures":[{"index":0,"status":422,"error":"no"}]}'))
  })
  const route = compileRoute(sampleUseCase('KEY', url, undefined, undefined, {}), sampleMeans)
  expect(await sent(url, 5000, route)).toMatchObject({
    ...{ status: 422, outcome: Outcome.FAILED, reason: Reason.NON_RETRYABLE_STATUS, error: 'no' },
    record: { request: { body: '[{}]', headers: { 'ferry-batch': '1', 'ferry-record': 't/0/0-0' } } },
  })
  expect(bodies).toEqual(['[{}]'])
})

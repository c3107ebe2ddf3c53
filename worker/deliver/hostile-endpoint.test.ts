import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { Reason } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { readEgressRules } from '../../runtime/egress-rules.ts'
import { faults, HostileEndpoint } from '../../test/harness/hostile-endpoint.ts'
import { classifyError } from './classify.ts'
import { guardedConnector } from './egress-guard.ts'
import { Flight, type Target } from './flight.ts'

// What becomes of a request to an endpoint that is broken or means harm. Each of these is sent over a slot that is then asked for something
// good: no answer, and no rest of one, may be taken for that of another record.

/** A status decides by the policy; a reason is tried again. */
type Expected = number | readonly [reason: Reason, text: RegExp]

const { TIMEOUT, CONNECTION_RESET, CONNECTION_FAILED, INVALID_RESPONSE, TLS_FAILED } = Reason
const late: Expected = [TIMEOUT, /^$/]
const reset: Expected = [CONNECTION_RESET, /^read ECONNRESET$/]
const closed: Expected = [CONNECTION_RESET, /^other side closed \(UND_ERR_SOCKET\)$/]
const overflow: Expected = [INVALID_RESPONSE, /\(UND_ERR_HEADERS_OVERFLOW\)$/]
const flood: Expected = [INVALID_RESPONSE, /\(FERRY_ANSWER_FLOOD\)$/]
const notHttp = (why: string): Expected => [
  INVALID_RESPONSE,
  new RegExp(`^Response does not match the HTTP/1.1 protocol \\(${why}\\)$`),
]

const table: Readonly<Record<string, Expected>> = {
  good: 200,
  'never-answers': late,
  'slow-headers': late,
  'slow-body': late,
  'slow-chunks': late,
  'interim-answers-for-ever': flood,
  'endless-body': 200,
  'endless-chunks': 200,
  'endless-headers': overflow,
  'huge-header': overflow,
  'endless-trailers': overflow,
  'interim-answers-flood': flood,
  'chunk-extension-flood': flood,
  'gzip-bomb': 200,
  'reset-before-the-answer': reset,
  'reset-in-the-status-line': reset,
  'reset-in-the-headers': reset,
  'reset-in-the-body': reset,
  'closed-before-the-answer': closed,
  'closed-in-the-headers': closed,
  'closed-in-the-body': closed,
  'closed-in-a-chunk': closed,
  'body-until-the-end': 200,
  'an-interim-answer': 200,
  'continue-unasked': [INVALID_RESPONSE, /^bad response/],
  'switching-protocols': [INVALID_RESPONSE, /^bad upgrade/],
  'no-content-with-a-body': 204,
  'no-content-with-bytes-after-it': 204,
  'two-answers': 200,
  'chunk-size-garbage': notHttp('Invalid character in chunk size'),
  'chunk-size-overflow': notHttp('Chunk size overflow'),
  'chunk-without-line-end': notHttp('Expected LF after chunk data'),
  'length-and-chunks': notHttp("Content-Length can't be present with Transfer-Encoding"),
  'two-lengths': [CONNECTION_RESET, /\(UND_ERR_RES_CONTENT_LENGTH_MISMATCH\)$/],
  'negative-length': notHttp('Invalid character in Content-Length'),
  'line-end-in-a-header': notHttp('Missing expected LF after header value'),
  'an-impossible-status': [INVALID_RESPONSE, /^the answer is not HTTP/],
  'another-protocol': notHttp('Expected HTTP/, RTSP/ or ICE/'),
  'tls-in-place-of-http': notHttp('Expected HTTP/, RTSP/ or ICE/'),
  'a-redirect-loop': 302,
  'too-many-requests': 429,
}

/** Of an answer's body so much is kept, and so much is read. */
const KEPT_BYTES = 100
const READ_BYTES_MAX = (1 << 20) + (128 << 10)
const TIMEOUT_MS = 15_000
const SWEEP_MS = 20

const closing: (() => void)[] = []
afterEach(() => {
  for (const close of closing.splice(0)) close()
})

const targetOf = (origin: string, path = '/', requestTimeoutMs = TIMEOUT_MS): Target => ({
  ...{ origin, path, method: 'POST', requestTimeoutMs, responseBodyBytesMax: KEPT_BYTES },
  connect: guardedConnector(readEgressRules('loopback'), { timeout: 1000 }),
})

/** A request slot, with the sweep that its owner does. */
function slot(first: Target) {
  let land: (flight: Flight<string>) => void = () => {}
  const landed = (flight: Flight<string>): void => land(flight)
  const flight = new Flight<string>(first, '', landed, () => true)
  const sweep = setInterval(() => flight.expire(performance.now()), SWEEP_MS)
  closing.push(() => {
    clearInterval(sweep)
    flight.close()
  })
  return (target: Target, body: Buffer = Buffer.from('{}')): Promise<Flight<string>> => {
    const done = new Promise<Flight<string>>((resolve) => {
      land = resolve
    })
    flight.send(target, ['content-type', 'application/json'], body, performance.now())
    return done
  }
}

const outcomeOf = ({ status, cut, error }: Flight<string>) => {
  if (status !== 0) return status
  return cut === 'TIMEOUT' ? { reason: TIMEOUT, text: '' } : classifyError(error)
}

const rightOf = (expected: Expected) =>
  typeof expected === 'number' ? expected : { reason: expected[0], text: expect.stringMatching(expected[1]) }

describe('an endpoint', () => {
  let endpoint: HostileEndpoint
  beforeAll(async () => {
    endpoint = await HostileEndpoint.start()
  })
  afterAll(() => endpoint[Symbol.asyncDispose]())

  test('has every fault in the table', () => {
    expect(Object.keys(table)).toEqual(Object.keys(faults))
  })

  test.each(Object.entries(table))('%s', async (fault, expected) => {
    // What is late is so by its own choice: it need not be waited for as long as a flood.
    const target = targetOf(endpoint.origin, `/${fault}`, expected === late ? 400 : TIMEOUT_MS)
    const send = slot(target)
    const flight = await send(target)
    expect(outcomeOf(flight)).toEqual(rightOf(expected))
    expect(flight.responseBody.length).toBeLessThanOrEqual(KEPT_BYTES)
    expect(flight.responseBytes).toBeLessThanOrEqual(READ_BYTES_MAX)
    expect(endpoint.arrived.get(fault), 'the endpoint is asked once').toBe(1)
    const arrived = endpoint.arrived.get('good') ?? 0
    const next = await send(targetOf(endpoint.origin, '/good'))
    expect([next.status, String(next.responseBody)]).toEqual([200, 'good'])
    expect(endpoint.arrived.get('good')).toBe(arrived + 1)
  })

  test('that sends a second answer is not believed by the next request of the same connection', async () => {
    const target = targetOf(endpoint.origin, '/two-answers')
    const send = slot(target)
    for (let at = 0; at < 5; at++) expect(String((await send(target)).responseBody)).toBe('good')
  })
})

describe('a server', () => {
  async function serve(take: (socket: Socket) => void): Promise<number> {
    const sockets = new Set<Socket>()
    const server = createServer((socket) => {
      sockets.add(socket)
      socket.on('error', () => {})
      take(socket)
    })
    closing.push(() => {
      server.close()
      for (const each of sockets) each.destroy()
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    return (server.address() as AddressInfo).port
  }

  const large = Buffer.alloc(16 << 20)

  const small = Buffer.from('{}')

  test.each<[string, string, Buffer, Expected, (socket: Socket) => void]>([
    ['closes connections as they come', 'http', small, closed, (socket) => void socket.end()],
    ['never reads', 'http', large, late, (socket) => void socket.pause()],
    [
      'answers before it has read, and closes',
      ...(['http', large, 413] as const),
      (socket) => void socket.once('data', () => socket.pause().end('HTTP/1.1 413 No\r\ncontent-length: 0\r\n\r\n')),
    ],
    ['closes in the handshake', 'https', small, [TLS_FAILED, /TLS/], (socket) => void socket.once('data', () => socket.end())],
    ['resets in the handshake', 'https', small, reset, (socket) => void socket.once('data', () => socket.resetAndDestroy())],
    [
      'speaks no TLS',
      ...(['https', small, [TLS_FAILED, /\(ERR_SSL_/]] as const),
      (socket) => void socket.once('data', () => socket.end('HTTP/1.1 400 Bad\r\n\r\n')),
    ],
    ['never ends the handshake', 'https', small, [CONNECTION_FAILED, /^Connect Timeout/], () => {}],
  ])('that %s', async (_what, scheme, body, expected, take) => {
    const target = targetOf(`${scheme}://127.0.0.1:${await serve(take)}`, '/', expected === late ? 300 : 5000)
    expect(outcomeOf(await slot(target)(target, body))).toEqual(rightOf(expected))
  })
})

import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { readEgressRules } from '../../runtime/egress-rules.ts'
import { guardedConnector } from './egress-guard.ts'
import { Flight, type Target } from './flight.ts'

type Handler = (request: http.IncomingMessage, response: http.ServerResponse, body: string) => void

const servers: http.Server[] = []
const flights: Flight<string>[] = []
afterEach(() => {
  for (const flight of flights.splice(0)) flight.close()
  for (const server of servers.splice(0)) {
    server.close()
    server.closeAllConnections()
  }
})

async function serve(handler: Handler): Promise<{ target: Target; sockets: Set<Socket> }> {
  const sockets = new Set<Socket>()
  const server = http.createServer((request, response) => {
    let body = ''
    request.setEncoding('latin1').on('data', (chunk: string) => {
      body += chunk
    })
    request.on('end', () => handler(request, response, body))
  })
  server.on('connection', (socket) => sockets.add(socket))
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const connect = guardedConnector(readEgressRules('loopback'), { timeout: 1000 })
  const limits = { requestTimeoutMs: 1000, connect, responseBodyBytesMax: 100 }
  return { target: { origin, path: '/rows?a=1', method: 'POST', ...limits }, sockets }
}

/** A flight, and a promise of its next landing. */
function open(target: Target, mayWrite: () => boolean = () => true) {
  let resolve: (flight: Flight<string>) => void = () => {}
  let landings = 0
  const land = (landed: Flight<string>): void => {
    landings++
    resolve(landed)
  }
  const flight = new Flight<string>(target, 'load', land, mayWrite)
  flights.push(flight)
  const send = (body = 'body', headers = ['x-one', '1'], to = target): Promise<Flight<string>> => {
    const landed = new Promise<Flight<string>>((done) => {
      resolve = done
    })
    flight.send(to, headers, Buffer.from(body), performance.now())
    return landed
  }
  return { flight, send, count: () => landings }
}

describe('a request', () => {
  test('is sent as it was asked, and its answer comes back whole, over one connection', async () => {
    const seen: unknown[] = []
    const { target, sockets } = await serve((request, response, body) => {
      seen.push([request.method, request.url, request.headers['x-one'], body])
      response.writeHead(201, { 'X-Answer': 'yes' }).end('done')
    })
    const { send } = open(target)
    for (let i = 0; i < 3; i++) {
      const landed = await send(`body ${i}`)
      expect([landed.status, String(landed.responseBody), landed.responseBytes, landed.error]).toEqual([
        201,
        'done',
        4,
        undefined,
      ])
      expect(landed.responseHeaders.map(String).slice(0, 2)).toEqual(['X-Answer', 'yes'])
    }
    expect(seen).toEqual([0, 1, 2].map((i) => ['POST', '/rows?a=1', '1', `body ${i}`]))
    expect(sockets.size).toBe(1)
  })

  test('keeps of a large answer what it may, and closes the connection of an endless one: the status decides', async () => {
    const { target } = await serve((_request, response, body) => {
      response.writeHead(200)
      if (body === 'large') response.end('x'.repeat(100_000))
      else {
        const more = (): void => {
          while (response.write('x'.repeat(65_536)));
        }
        response.on('drain', more)
        more()
      }
    })
    const { send } = open(target)
    const large = await send('large')
    expect([large.status, large.responseBody.length, large.responseBytes]).toEqual([200, 100, 100_000])
    const endless = await send('endless')
    expect([endless.status, endless.error, endless.cut]).toEqual([200, undefined, undefined])
    expect(endless.responseBytes).toBeGreaterThan(1 << 20)
    expect((await send('large')).status).toBe(200)
  })

  test('has no status when the connection breaks in the middle of the answer', async () => {
    const { target } = await serve((_request, response) => {
      response.writeHead(200, { 'content-length': '10' }).write('half')
      setImmediate(() => response.destroy())
    })
    const landed = await open(target).send()
    expect(landed.status).toBe(0)
    expect(landed.error).toBeDefined()
  })

  test('that takes too long lands once, as a timeout; what comes after is nobody’s', async () => {
    let late: http.ServerResponse | undefined
    const { target } = await serve((_request, response, body) => {
      if (body === 'slow') late = response
      else response.writeHead(204).end()
    })
    const { flight, send, count } = open({ ...target, requestTimeoutMs: 30 })
    const landed = send('slow', [], { ...target, requestTimeoutMs: 30 })
    flight.expire(performance.now())
    expect(flight.busy).toBe(true)
    flight.expire(performance.now() + 31)
    expect([(await landed).cut, flight.status, flight.busy]).toEqual(['TIMEOUT', 0, false])
    late?.writeHead(200).end('late')
    expect((await send('next')).status).toBe(204)
    expect(count()).toBe(2)
  })

  test('that had to wait for its connection is not written when its sender may no longer send', async () => {
    const seen: string[] = []
    const { target } = await serve((_request, response, body) => {
      seen.push(body)
      response.end()
    })
    let mayWrite = false
    const { send } = open(target, () => mayWrite)
    const withdrawn = await send('too late')
    expect([withdrawn.status, withdrawn.cut]).toEqual([0, 'ABORTED'])
    mayWrite = true
    expect((await send('in time')).status).toBe(200)
    expect(seen).toEqual(['in time'])
  })

  test('that cannot be sent at all lands, and not before it was sent: whoever lands may send the next one', async () => {
    const { target } = await serve((_request, response) => response.writeHead(204).end())
    const { flight, send } = open(target)
    const landed = send('body', ['bad name', '1'])
    expect(flight.busy).toBe(true)
    expect([(await landed).status, flight.busy]).toEqual([0, false])
    expect(flight.error).toBeInstanceOf(Error)
    expect((await send()).status).toBe(204)
  })

  test('goes where the newest revision says', async () => {
    const [one, two] = [
      await serve((_, response) => response.writeHead(201).end()),
      await serve((_, response) => response.writeHead(202).end()),
    ]
    const { send } = open(one.target)
    expect((await send()).status).toBe(201)
    expect((await send('body', [], two.target)).status).toBe(202)
  })

  test('without an answer at all, and no endpoint, says why', async () => {
    const { target } = await serve((_request, response) => response.destroy())
    expect((await open(target).send()).status).toBe(0)
    const nobody = await open({ ...target, origin: 'http://127.0.0.1:1' }).send('body', [], {
      ...target,
      origin: 'http://127.0.0.1:1',
    })
    expect((nobody.error as { code?: string }).code).toBe('ECONNREFUSED')
  })
})

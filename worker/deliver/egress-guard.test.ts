import dns, { promises as dnsPromises } from 'node:dns'
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { readEgressRules } from '../../runtime/egress-rules.ts'
import { findEgressProblem, guardedConnector } from './egress-guard.ts'

let server: http.Server
let port: number
let connections: number
beforeEach(async () => {
  connections = 0
  server = http.createServer((_request, response) => response.end())
  server.on('connection', () => connections++)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  port = (server.address() as AddressInfo).port
})
afterEach(() => {
  vi.restoreAllMocks()
  server.close()
  server.closeAllConnections()
})

/** Dials as undici does; answers where the connection leads, or the error's code. */
function dial(allow: string, hostname: string): Promise<string> {
  const connect = guardedConnector(readEgressRules(allow), { timeout: 2000 })
  return new Promise((resolve) =>
    connect({ hostname, host: `${hostname}:${port}`, protocol: 'http:', port: String(port) }, (error, socket) => {
      resolve(error === null ? socket.remoteAddress! : (error as NodeJS.ErrnoException).code!)
      socket?.destroy()
    }),
  )
}

/** Names are answered by the test; dialling is real. */
function answer(...turns: string[][]): { asked: number } {
  const calls = { asked: 0 }
  vi.spyOn(dns, 'lookup').mockImplementation(((_name: string, _options: unknown, callback: (...args: unknown[]) => void) => {
    const addresses = turns[Math.min(calls.asked++, turns.length - 1)]!
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    )
  }) as never)
  return calls
}

test('an address in a URL is refused before anything is dialled, and dialled when it is allowed', async () => {
  expect(await dial('', '127.0.0.1')).toBe('FERRY_EGRESS_BLOCKED')
  expect(await dial('private', '127.0.0.1')).toBe('FERRY_EGRESS_BLOCKED')
  expect(await dial('', '::1')).toBe('FERRY_EGRESS_BLOCKED')
  expect(connections).toBe(0)
  expect(await dial('127.0.0.0/8', '127.0.0.1')).toBe('127.0.0.1')
  expect(connections).toBe(1)
})

test('a name is resolved for real, and its address checked', async () => {
  const { address } = await dnsPromises.lookup('localhost', 4)
  expect(await dial('', 'localhost')).toBe('FERRY_EGRESS_BLOCKED')
  expect(await dial('loopback', 'localhost')).toBe(address)
})

test('a name that is answered otherwise at the second time gains nothing: what was checked is dialled', async () => {
  const calls = answer(['127.0.0.1'], ['169.254.169.254'])
  expect(await dial('127.0.0.1', 'rebinding.example')).toBe('127.0.0.1')
  expect(calls.asked).toBe(1)
  expect(await dial('127.0.0.1', 'rebinding.example')).toBe('FERRY_EGRESS_BLOCKED')
})

test('of several addresses only those are dialled that are allowed', async () => {
  answer(['10.0.0.1', '127.0.0.1', '::ffff:169.254.169.254'])
  expect(await dial('127.0.0.1', 'mixed.example')).toBe('127.0.0.1')
  expect(await dial('', 'mixed.example')).toBe('FERRY_EGRESS_BLOCKED')
})

test('an allowed host may have a loopback address, and another host of the same address may not', async () => {
  answer(['127.0.0.1'])
  expect(await dial('orders.internal', 'orders.internal')).toBe('127.0.0.1')
  expect(await dial('orders.internal', 'payments.internal')).toBe('FERRY_EGRESS_BLOCKED')
})

test('what is wrong with a host can be asked without dialling', async () => {
  answer(['10.0.0.1'])
  expect(await findEgressProblem(readEgressRules(''), 'orders.example')).toMatch(
    /orders\.example has the address 10\.0\.0\.1.*private/,
  )
  expect(await findEgressProblem(readEgressRules('private'), 'orders.example')).toBeUndefined()
  expect(await findEgressProblem(readEgressRules(''), '[::1]')).toMatch(/loopback/)
  vi.restoreAllMocks()
  expect(await findEgressProblem(readEgressRules(''), 'no-such-host.invalid')).toBeUndefined()
})

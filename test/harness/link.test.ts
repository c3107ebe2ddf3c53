import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { Link } from './link.ts'

let link: Link
let seen = 0
const server = createServer((_request, response) => {
  seen++
  response.end('hello')
})

beforeAll(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  link = await Link.open(() => (server.address() as AddressInfo).port)
})
beforeEach(() => {
  link.state = 'PASS'
  link.delayMs = 0
  seen = 0
})
afterAll(async () => {
  await link[Symbol.asyncDispose]()
  server.close()
})

const ask = (): Promise<string> =>
  new Promise((resolve, reject) => {
    const sent = request({ port: link.port, agent: false }, (response) => {
      response.setEncoding('utf8').on('data', resolve)
    })
    sent.on('error', reject).end()
  })
const outcome = (asked: Promise<string>): Promise<string> => Promise.race([asked, sleep(150, 'nothing')])

test('passes bytes on, with the delay that is asked for', async () => {
  expect(await ask()).toBe('hello')
  link.delayMs = 100
  const startedMs = performance.now()
  expect(await ask()).toBe('hello')
  expect(performance.now() - startedMs).toBeGreaterThan(190)
})

test('a stalled link lets nothing through, and everything once it heals', async () => {
  link.state = 'STALL'
  const asked = ask()
  expect([await outcome(asked), seen]).toEqual(['nothing', 0])
  link.state = 'PASS'
  expect(await asked).toBe('hello')
})

test('a link that stalls answers lets the request through', async () => {
  link.state = 'STALL_ANSWERS'
  const asked = ask()
  expect([await outcome(asked), seen]).toEqual(['nothing', 1])
  link.cut()
  await expect(asked).rejects.toThrow()
})

test('a link that refuses breaks off what is open and what comes', async () => {
  link.state = 'STALL'
  const asked = ask()
  await sleep(20)
  link.state = 'REFUSE'
  await expect(asked).rejects.toThrow()
  await expect(ask()).rejects.toThrow()
  expect(seen).toBe(0)
})

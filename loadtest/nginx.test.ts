import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type NginxSink, startNginx } from './nginx.ts'

const stopMsMax = 10_000
const dataDir = mkdtempSync(join(tmpdir(), 'ferry-nginx-'))
let sink: NginxSink

beforeAll(async () => {
  sink = await startNginx(dataDir)
})
afterAll(async () => {
  expect(await sink.process.stop(stopMsMax)).toEqual({ code: 0, signal: null })
  rmSync(dataDir, { recursive: true, force: true })
})

test('every request is answered with 204 over one connection that stays open, and counted', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const localPorts = new Set<number>()
  const post = (body: string): Promise<number> =>
    new Promise((resolve, reject) => {
      const sent = request(`${sink.url}any/path`, { method: 'POST', agent }, (answer) => {
        localPorts.add(answer.socket.localPort!)
        answer.resume().on('end', () => resolve(answer.statusCode!))
      })
      sent.on('error', reject).end(body)
    })
  const before = await sink.countRequests()
  const statuses = []
  for (const size of [0, 512, 100_000, 1_000_000]) statuses.push(await post('x'.repeat(size)))
  for (let count = 0; count < 1_500; count++) statuses.push(await post('{}'))
  expect(new Set(statuses)).toEqual(new Set([204]))
  expect((await sink.countRequests()) - before).toBe(1_504)
  expect(localPorts.size).toBe(1)
  agent.destroy()
})

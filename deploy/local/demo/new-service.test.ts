import { mkdtempSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { freePort } from '../free-port.ts'
import { summarizeTable } from './flight-table.ts'
import { NewService } from './new-service-client.ts'

const outageMs = 1_000
const stopMsMax = 10_000

let dir: string
let service: NewService
const agent = new Agent({ keepAlive: true, maxSockets: 32 })

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'ferry-demo-'))
  const [port, controlPort] = [await freePort(), await freePort()]
  const file = join(dir, 'new.sqlite')
  service = new NewService(dir, { file, rows: 1_000, port, controlPort, outage: { afterRows: 500, ms: outageMs } })
  await service.process.waitReady(20_000)
})
afterEach(async () => {
  await service.process.stop(stopMsMax)
  rmSync(dir, { recursive: true })
})

/** Answers the status, or the error's code. */
function post(id: number, { epoch = 1, origin = 'LAX' } = {}): Promise<number | string> {
  const flight = { id: String(id), departureTime: '2001-01-01T00:01:00Z', distanceMiles: 2345, origin, destination: 'PHL' }
  return new Promise((resolve) => {
    const headers = { 'content-type': 'application/json', 'ferry-attempt': `${epoch}.0.1` }
    const sent = request(service.url, { method: 'POST', agent, headers }, (answer) => {
      answer.resume().on('end', () => resolve(answer.statusCode!))
    })
    sent.on('error', (error: NodeJS.ErrnoException) => resolve(String(error.code)))
    sent.end(JSON.stringify(flight))
  })
}

/** Posts rows until each is taken, as anybody would who must not lose one. Answers every end that a request had. */
async function postAll(first: number, last: number): Promise<Set<number | string>> {
  const ends = new Set<number | string>()
  const postOne = async (id: number): Promise<void> => {
    const end = await post(id)
    ends.add(end)
    expect(end).toBe(204)
  }
  const ids = Array.from({ length: last - first + 1 }, (_, index) => first + index)
  await Promise.all(ids.map((id) => vi.waitFor(() => postOne(id), { timeout: 20_000, interval: 20 })))
  return ends
}

test('a row that was answered with 204 is in the table, whoever reads it', async () => {
  await postAll(1, 100)
  expect(summarizeTable(service.file).rows).toBe(100)
  const { rows, busy, requests } = await service.stats()
  expect(rows).toBe(100)
  expect(requests).toBe(100 + busy)
})

test('the service goes down by itself at its row, refuses connections, and comes back on the same port without having lost one', async () => {
  const ends = await postAll(1, 900)
  const { rows, outages, isUp } = await service.stats()
  expect({ rows, outages, isUp }).toEqual({ rows: 900, outages: 1, isUp: true })
  expect([...ends]).toContain('ECONNREFUSED')
  expect(summarizeTable(service.file).rows).toBe(900)
})

test('a row that comes again changes nothing and is counted by who brought it', async () => {
  await postAll(1, 20)
  const before = summarizeTable(service.file)
  expect([await post(5), await post(6, { epoch: 2 }), await post(7, { epoch: 2 })]).toEqual([204, 204, 204])
  expect(await service.stats()).toMatchObject({ rows: 20, repeatedBySameOwner: 1, repeatedByNextOwner: 2 })
  expect(summarizeTable(service.file)).toEqual(before)
})

test('an airport that is not known is refused until the fix', async () => {
  expect(await post(1, { origin: 'ISP' })).toBe(422)
  await service.fix()
  expect(await post(1, { origin: 'ISP' })).toBe(204)
  expect(await service.stats()).toMatchObject({ rows: 1, refused: 1 })
})

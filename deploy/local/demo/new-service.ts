// Process of its own: the service that takes over the table. A plain HTTP server that knows nothing of Ferry, and has its faults.
// Started with NewServiceOptions as JSON. Ends at once on SIGTERM.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { readFlight } from './flight-request.ts'
import { type Flight, openFlightTable, upsertFlight } from './flight-table.ts'
import { GroupCommit } from './group-commit.ts'
import type { NewServiceOptions, NewServiceStats } from './new-service-contract.ts'
import { type Refusal, Refusals } from './refusals.ts'

const commitDelayMs = 2
const bodyBytesMax = 64 * 1024
const host = '127.0.0.1'
const notFlight: Refusal = { status: 400, text: 'not a flight' }

const options: NewServiceOptions = JSON.parse(process.argv[2] ?? '{}')
const database = openFlightTable(options.file)
const upsert = upsertFlight(database)
const refusals = new Refusals()
const stats: NewServiceStats = {
  ...{ requests: 0, rows: 0, repeatedByNextOwner: 0, repeatedBySameOwner: 0, busy: 0, refused: 0, invalid: 0 },
  ...{ outages: 0, isUp: false },
}
const table = new GroupCommit<Arrival>(database, store, commitDelayMs)
/** By id: the lane epoch that first brought the row. Evidence for the certificate; a service need not keep it. */
const firstEpochs = new Float64Array(options.rows + 1)
let server: Server

interface Arrival {
  readonly flight: Flight
  readonly epoch: number
}

function store({ flight, epoch }: Arrival): void {
  if (upsert(flight)) {
    stats.rows++
    firstEpochs[flight.id] = epoch
  } else if (firstEpochs[flight.id] === epoch) stats.repeatedBySameOwner++
  else stats.repeatedByNextOwner++
  // Exact, whoever polls and however seldom: the outage comes by the rows, not by the clock.
  if (stats.rows === options.outage.afterRows && stats.outages === 0) setImmediate(() => void goDown())
}

function take(body: string, epoch: number, response: ServerResponse): void {
  stats.requests++
  const flight = readFlight(body)
  const refusal = flight === undefined ? notFlight : refusals.check(flight.id, flight.origin)
  if (refusal === undefined) table.add({ flight: flight!, epoch }, () => answer(response, 204))
  else refuse(response, refusal)
}

function refuse(response: ServerResponse, { status, text }: Refusal): void {
  if (status === 503) stats.busy++
  else if (status === 422) stats.refused++
  else stats.invalid++
  answer(response, status, text)
}

/** The listener and every connection are gone, and what was not committed with them; later it listens on the same port again. */
async function goDown(): Promise<void> {
  stats.outages++
  stats.isUp = false
  table.drop()
  server.close()
  server.closeAllConnections()
  await sleep(options.outage.ms)
  await comeUp()
}

async function comeUp(): Promise<void> {
  server = createServer(onFlight)
  // Ferry keeps connections; it is not for this side to close them.
  Object.assign(server, { keepAliveTimeout: 0, headersTimeout: 0, requestTimeout: 0 })
  await new Promise<void>((resolve) => server.listen(options.port, host, 4096, resolve))
  stats.isUp = true
}

function onFlight(request: IncomingMessage, response: ServerResponse): void {
  const epoch = Number.parseInt(String(request.headers['ferry-attempt']), 10)
  readBody(request, (body) => {
    if (request.method !== 'POST' || request.url !== '/flights') answer(response, 404, 'POST /flights')
    else if (body === undefined) answer(response, 413, 'too large')
    else take(body, epoch, response)
  })
}

/** What the demo asks for, on a port that stays open. */
function onControl(request: IncomingMessage, response: ServerResponse): void {
  request.resume()
  const call = `${request.method} ${request.url}`
  if (call === 'POST /fix') refusals.fix()
  const isKnown = call === 'POST /fix' || call === 'GET /stats'
  answer(response, isKnown ? 200 : 404, isKnown ? JSON.stringify(stats) : 'GET /stats, POST /fix')
}

function readBody(request: IncomingMessage, done: (body: string | undefined) => void): void {
  const chunks: Buffer[] = []
  let bytes = 0
  request.on('data', (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes <= bodyBytesMax) chunks.push(chunk)
  })
  request.on('end', () => {
    if (bytes > bodyBytesMax) done(undefined)
    else done((chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)).toString())
  })
}

function answer(response: ServerResponse, status: number, text?: string): void {
  response.statusCode = status
  response.end(text)
}

process.on('SIGTERM', () => process.exit(0))
await comeUp()
createServer(onControl).listen(options.controlPort, host)

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Flight, openFlightTable, readFlights, summarizeTable, upsertFlight } from './flight-table.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'ferry-demo-'))
})
afterEach(() => rmSync(dir, { recursive: true }))

const flight = (id: number, change: Partial<Flight> = {}): Flight => ({
  id,
  departureS: 978_307_260 + id,
  delayMinutes: -13,
  distanceMiles: 2345,
  origin: 'ANC',
  destination: 'LAX',
  ...change,
})

function tableOf(name: string, flights: readonly Flight[]): string {
  const file = join(dir, name)
  const database = openFlightTable(file)
  const upsert = upsertFlight(database)
  for (const each of flights) upsert(each)
  database.close()
  return file
}

test('two tables with the same rows have the same checksum, in whatever order the rows came and however often', () => {
  const one = summarizeTable(tableOf('one', [flight(1), flight(2), flight(3)]))
  const other = summarizeTable(tableOf('other', [flight(3), flight(1), flight(2), flight(1)]))
  expect(other).toEqual(one)
  expect(one.rows).toBe(3)
})

test('a row that is missing, or that differs in any column, changes the checksum', () => {
  const whole = summarizeTable(tableOf('whole', [flight(1), flight(2)])).checksum
  const changes: Partial<Flight>[] = [
    { departureS: 1 },
    { delayMinutes: 0 },
    { distanceMiles: 2344 },
    { origin: 'SEA' },
    { destination: 'SEA' },
  ]
  const others = [[flight(1)], [flight(1), flight(3)], ...changes.map((change) => [flight(1), flight(2, change)])]
  const checksums = others.map((flights, index) => summarizeTable(tableOf(`other-${index}`, flights)).checksum)
  expect(checksums).not.toContain(whole)
  expect(new Set(checksums).size).toBe(others.length)
})

test('an upsert says whether the row is new, and the last values stay', () => {
  const database = openFlightTable(join(dir, 'table'))
  const upsert = upsertFlight(database)
  expect(upsert(flight(1))).toBe(true)
  expect(upsert(flight(1, { delayMinutes: 7 }))).toBe(false)
  expect([...readFlights(database)]).toEqual([flight(1, { delayMinutes: 7 })])
  database.close()
})

test('a table is read while its owner has it open and writes', () => {
  const file = join(dir, 'table')
  const database = openFlightTable(file)
  const upsert = upsertFlight(database)
  upsert(flight(1))
  expect(summarizeTable(file).rows).toBe(1)
  upsert(flight(2))
  expect(summarizeTable(file).rows).toBe(2)
  database.close()
})

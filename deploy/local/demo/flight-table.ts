import { createHash } from 'node:crypto'
import { DatabaseSync } from 'node:sqlite'

/** One row of the public table, with an id of its own. */
export interface Flight {
  readonly id: number
  /** Planned, Unix seconds. */
  readonly departureS: number
  readonly delayMinutes: number
  readonly distanceMiles: number
  readonly origin: string
  readonly destination: string
}

export interface TableSummary {
  readonly rows: number
  /** SHA-256 over all columns of all rows in the order of their ids, as hexadecimal digits. */
  readonly checksum: string
}

const columns = ['id', 'departure_s', 'delay_minutes', 'distance_miles', 'origin', 'destination'] as const
type Row = Record<(typeof columns)[number], number | string>

/** Opens a service's own table, and makes it when it is not there. Both services have this one, and share nothing else. */
export function openFlightTable(file: string): DatabaseSync {
  const database = new DatabaseSync(file)
  // A row is safe from the end of this process once its transaction is committed; only a power cut needs more.
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL')
  database.exec(`CREATE TABLE IF NOT EXISTS flights (
    id INTEGER PRIMARY KEY, departure_s INTEGER NOT NULL, delay_minutes INTEGER NOT NULL,
    distance_miles INTEGER NOT NULL, origin TEXT NOT NULL, destination TEXT NOT NULL) STRICT`)
  return database
}

/** Answers whether the row is new: an id that is there already takes the new values. */
export function upsertFlight(database: DatabaseSync): (flight: Flight) => boolean {
  const names = columns.join(', ')
  const values = columns.map(() => '?').join(', ')
  const insert = database.prepare(`INSERT INTO flights (${names}) VALUES (${values}) ON CONFLICT DO NOTHING`)
  const replace = database.prepare(`INSERT OR REPLACE INTO flights (${names}) VALUES (${values})`)
  return (flight) => {
    const { id, departureS, delayMinutes, distanceMiles, origin, destination } = flight
    const row = [id, departureS, delayMinutes, distanceMiles, origin, destination]
    if (insert.run(...row).changes === 1) return true
    replace.run(...row)
    return false
  }
}

export function* readFlights(database: DatabaseSync): Generator<Flight> {
  for (const row of readRows(database)) {
    yield {
      id: Number(row.id),
      departureS: Number(row.departure_s),
      delayMinutes: Number(row.delay_minutes),
      distanceMiles: Number(row.distance_miles),
      origin: String(row.origin),
      destination: String(row.destination),
    }
  }
}

/** Reads the whole table from its file, whoever has it open beside. */
export function summarizeTable(file: string): TableSummary {
  const database = new DatabaseSync(file, { readOnly: true })
  try {
    const hash = createHash('sha256')
    let rows = 0
    for (const row of readRows(database)) {
      hash.update(`${columns.map((column) => row[column]).join('\t')}\n`)
      rows++
    }
    return { rows, checksum: hash.digest('hex') }
  } finally {
    database.close()
  }
}

const readRows = (database: DatabaseSync): Iterable<Row> =>
  database.prepare(`SELECT ${columns.join(', ')} FROM flights ORDER BY id`).iterate() as Iterable<Row>

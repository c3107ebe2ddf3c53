import { existsSync, openAsBlob } from 'node:fs'
import { join } from 'node:path'
import { DemoError } from './demo-error.ts'
import type { Flight } from './flight-table.ts'

/** U.S. Bureau of Transportation Statistics, on-time performance, January to June 2001: 3,000,000 flights. */
const file = join(import.meta.dirname, '../../../node_modules/vega-datasets/data/flights-3m.parquet')
const structure = "date DateTime64(6, 'UTC'), delay Int32, distance Int32, origin String, destination String"
const requestMsMax = 60_000

export const publicTableRows = 3_000_000

/**
 * The first so many rows by date, always the same ones; the table once more from the beginning when it has too few.
 * ClickHouse reads the Parquet: the file is sent along as an external table, which needs no right and leaves nothing behind.
 */
export async function* readPublicTable(clickhouseUrl: string, rows: number): AsyncGenerator<Flight> {
  if (!existsSync(file)) throw new DemoError(`the public table is not installed: there is no ${file}. Run: npm ci`)
  for (let done = 0; done < rows; done += publicTableRows) {
    let id = done
    for await (const line of readLines(clickhouseUrl, Math.min(rows - done, publicTableRows))) {
      const [departureS, delayMinutes, distanceMiles, origin, destination] = JSON.parse(line)
      yield { id: ++id, departureS, delayMinutes, distanceMiles, origin, destination }
    }
  }
}

async function* readLines(clickhouseUrl: string, rows: number): AsyncGenerator<string> {
  const query = `SELECT toUnixTimestamp(date), delay, distance, origin, destination FROM flights ORDER BY ALL LIMIT ${rows} FORMAT JSONCompactEachRow`
  const url = new URL(clickhouseUrl)
  url.search = String(new URLSearchParams({ query, flights_format: 'Parquet', flights_structure: structure }))
  const body = new FormData()
  body.append('flights', await openAsBlob(file))
  const answer = await fetch(url, { method: 'POST', body, signal: AbortSignal.timeout(requestMsMax) })
  if (!answer.ok || answer.body === null) throw new DemoError(`ClickHouse could not read ${file}: ${await answer.text()}`)
  let rest = ''
  for await (const chunk of answer.body.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + chunk).split('\n')
    rest = lines.pop()!
    yield* lines
  }
}

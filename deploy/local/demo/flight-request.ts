import type { Flight } from './flight-table.ts'

/** The new service's view of a flight: ProtoJSON, which writes 64-bit numbers as text and leaves out what is zero. */
interface FlightBody {
  readonly id?: string
  readonly departureTime?: string
  readonly delayMinutes?: number
  readonly distanceMiles?: number
  readonly origin?: string
  readonly destination?: string
}

/** Answers undefined when the body is no flight. */
export function readFlight(body: string): Flight | undefined {
  const flight = parse(body)
  const id = Number(flight?.id)
  const departureS = Date.parse(flight?.departureTime ?? '') / 1000
  if (!Number.isSafeInteger(id) || Number.isNaN(departureS)) return undefined
  const { delayMinutes = 0, distanceMiles = 0, origin = '', destination = '' } = flight!
  return { id, departureS, delayMinutes, distanceMiles, origin, destination }
}

function parse(body: string): FlightBody | undefined {
  try {
    return JSON.parse(body) ?? undefined
  } catch {
    return undefined
  }
}

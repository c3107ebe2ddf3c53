import { parseArgs } from 'node:util'
import { type Payload, partitions } from './records.ts'

export type OrderingName = 'key' | 'unordered'

export interface LoadTestArguments {
  readonly records: number
  readonly workers: number
  readonly payload: Payload
  readonly ordering: OrderingName
  readonly inFlight: number
  readonly rounds: number
  /** Records in one request; 0: the four ways, one record each. */
  readonly batch: number
  readonly profile: boolean
  readonly json: boolean
  readonly keepData: boolean
}

const limits = {
  records: { default: 300_000, min: 3_000, max: 100_000_000 },
  workers: { default: 1, min: 1, max: partitions },
  'in-flight': { default: 32, min: 1, max: 4_096 },
  rounds: { default: 1, min: 1, max: 100 },
  batch: { default: 0, min: 0, max: 10_000 },
} as const

const bounds = (name: keyof typeof limits): string =>
  `from ${limits[name].min} to ${limits[name].max}; default ${limits[name].default}`

export const usage = `usage: npm run loadtest -- [--records N] [--workers W] [--payload json|row|protobuf] [--ordering key|unordered]
                           [--in-flight F] [--rounds R] [--batch B] [--profile] [--json] [--keep-data]

Delivers the same records from Kafka to an nginx that answers 204, four ways, one after the other: by Ferry; by undici alone, without
Kafka (the limit); by a tuned consumer (kafkajs eachBatch, undici Pool); by a naive one (kafkajs eachMessage, fetch). Prints what each costs.

  --records N      so many records, ${bounds('records')}. The first third is warm-up
  --workers W      processes of each way, ${bounds('workers')}
  --payload P      json: 512 bytes; row: JSON of 200 bytes; protobuf: 21 fields in about 465 bytes, sent as JSON. Default json
  --ordering O     Ferry's order, key or unordered. Default key
  --in-flight F    requests on the way at once, over all processes, ${bounds('in-flight')}
  --rounds R       all of it so many times in changing order, ${bounds('rounds')}; the figures are medians
  --batch B        Ferry with up to so many records in a request, beside Ferry without and undici alone, ${bounds('batch')}: not at all
  --profile        Ferry once more at the end, with a CPU profile of its first worker: where the time goes
  --json           the last line on standard output is one JSON object
  --keep-data      keep the directory with data and logs
  --help           this text

Exit code 0: done and nothing is missing. 1: records are missing, or it could not run. 2: wrong arguments.
`

const options = {
  records: { type: 'string' },
  workers: { type: 'string' },
  payload: { type: 'string', default: 'json' },
  ordering: { type: 'string', default: 'key' },
  'in-flight': { type: 'string' },
  rounds: { type: 'string' },
  batch: { type: 'string' },
  profile: { type: 'boolean', default: false },
  json: { type: 'boolean', default: false },
  'keep-data': { type: 'boolean', default: false },
  help: { type: 'boolean', short: 'h', default: false },
} as const

/** Answers undefined for --help, and throws an Error that says what is wrong. */
export function parseArguments(args: readonly string[]): LoadTestArguments | undefined {
  const { values } = parseArgs({ args: [...args], options })
  if (values.help) return undefined
  const workers = wholeNumber('workers', values.workers)
  const inFlight = wholeNumber('in-flight', values['in-flight'])
  if (inFlight < workers) throw new Error(`--in-flight ${inFlight} is less than one request for each of ${workers} processes`)
  return {
    records: wholeNumber('records', values.records),
    ...{ workers, inFlight },
    payload: oneOf('payload', values.payload, ['json', 'row', 'protobuf']),
    ordering: oneOf('ordering', values.ordering, ['key', 'unordered']),
    rounds: wholeNumber('rounds', values.rounds),
    batch: batchOf(values.batch),
    profile: values.profile,
    json: values.json,
    keepData: values['keep-data'],
  }
}

function batchOf(text: string | undefined): number {
  const batch = wholeNumber('batch', text)
  if (batch === 1) throw new Error('--batch 1 is one record in a request: leave it out, or ask for 2')
  return batch
}

function wholeNumber(name: keyof typeof limits, text: string | undefined): number {
  const { default: value, min, max } = limits[name]
  if (text === undefined) return value
  const number = Number(text)
  if (!/^\d+$/.test(text) || number < min || number > max)
    throw new Error(`--${name} must be a whole number from ${min} to ${max}, not ${text}`)
  return number
}

function oneOf<const C extends string>(name: string, text: string, choices: readonly C[]): C {
  const found = choices.find((each) => each === text)
  if (found === undefined) throw new Error(`--${name} must be one of ${choices.join(', ')}, not ${text}`)
  return found
}

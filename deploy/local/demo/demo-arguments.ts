export interface DemoArguments {
  readonly rows: number
  readonly json: boolean
  readonly keep: boolean
}

export const rowsMin = 1_000
export const rowsMax = 10_000_000
const rowsDefault = 250_000

export const usage = `usage: npm run demo -- [--rows N] [--json] [--keep]

Moves a public table of flights from an old service to a new one, through Kafka and Ferry, with faults on the way:
the new service is busy, down for some seconds and refuses some rows; a worker is killed. Ends with a certificate.

  --rows N   so many rows of the table, from ${rowsMin} to ${rowsMax}; default ${rowsDefault}.
             The table has 3000000: above that its rows come again, with ids of their own
  --json     the last line on standard output is the certificate as one JSON object; all else goes to standard error
  --keep     leave everything running until Ctrl-C, keep the data, and print lines to look around with
  --help     this text

Exit code 0: the certificate holds. 1: it does not, or the demo could not run. 2: unknown arguments.
`

/** Answers undefined for --help, and throws an Error that says what is wrong. */
export function parseArguments(args: readonly string[]): DemoArguments | undefined {
  let rows = rowsDefault
  let json = false
  let keep = false
  for (let at = 0; at < args.length; at++) {
    const arg = args[at]!
    if (arg === '--help' || arg === '-h') return undefined
    if (arg === '--json') json = true
    else if (arg === '--keep') keep = true
    else if (arg === '--rows') rows = parseRows(args[++at])
    else if (arg.startsWith('--rows=')) rows = parseRows(arg.slice('--rows='.length))
    else throw new Error(`unknown argument ${arg}`)
  }
  return { rows, json, keep }
}

function parseRows(text: string | undefined): number {
  const rows = Number(text)
  if (text === undefined || !/^\d+$/.test(text) || rows < rowsMin || rows > rowsMax) {
    throw new Error(`--rows must be a whole number from ${rowsMin} to ${rowsMax}`)
  }
  return rows
}

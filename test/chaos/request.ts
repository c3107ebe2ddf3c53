/** What `npm run chaos` asks its scenarios, handed to their processes by one environment variable. */
export interface ChaosRequest {
  readonly seed: number
  /** Each scenario writes its Result there. */
  readonly resultDir: string
  readonly kind: RunKind
  /** Of random faults or of the soak; 0 for the named scenarios. */
  readonly minutes: number
  asksFor(scenario: string): boolean
}

/** What runs: the named scenarios, rounds of random faults, or one long run without any. */
export type RunKind = 'named' | 'random' | 'soak'

interface Handed {
  readonly seed: number
  readonly resultDir: string
  /** A part of the names of those that are to run. */
  readonly only?: string
  /** Their whole names. */
  readonly names?: readonly string[]
  /** Whole names of those that are not. */
  readonly except?: readonly string[]
  readonly kind: RunKind
  readonly minutes: number
}

const variable = 'CHAOS_REQUEST'

/** The environment that hands a request on. */
export const handOn = (request: Handed): Readonly<Record<string, string>> => ({ [variable]: JSON.stringify(request) })

/** Undefined in `npm test`, which runs the fast ones. */
export function readRequest(): ChaosRequest | undefined {
  const text = process.env[variable]
  if (text === undefined) return undefined
  const { only = '', names, except, ...rest } = JSON.parse(text) as Handed
  // Long runs are registered only when they are asked for, and then alone.
  const isAsked = (scenario: string): boolean => rest.kind === 'named' || scenario.startsWith(rest.kind)
  const isNamed = (scenario: string): boolean =>
    names?.includes(scenario) ?? (scenario.toLowerCase().includes(only.toLowerCase()) && except?.includes(scenario) !== true)
  return { ...rest, asksFor: (scenario) => isAsked(scenario) && isNamed(scenario) }
}

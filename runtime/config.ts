/** One value that a process reads from its environment. `parse` answers the value, or throws an Error that says what would be right. */
export interface Setting<T> {
  readonly env: string
  readonly default: string | undefined
  readonly description: string
  readonly parse: (text: string) => T
  /** Its value is never printed. */
  readonly isSecret?: boolean
}

export type Values<S> = { readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never }

/** Every problem of a configuration at once. The process ends with exit code 2. */
export class ConfigError extends Error {
  readonly problems: readonly string[]
  constructor(problems: readonly string[]) {
    super(`the configuration has ${problems.length} problem(s):\n${problems.map((problem) => `  ${problem}`).join('\n')}`)
    this.problems = problems
  }
}

/**
 * Reads all settings; throws one ConfigError that names every bad or missing one, and `more` that was found beside them. `check`
 * answers what is wrong between good ones.
 */
export function readConfig<S extends Record<string, Setting<unknown>>>(
  schema: S,
  env: Record<string, string | undefined>,
  check: (values: Values<S>) => readonly string[] = () => [],
  more: readonly string[] = [],
): Values<S> {
  const problems: string[] = [...more]
  const values: Record<string, unknown> = {}
  for (const [name, setting] of Object.entries(schema)) {
    const text = env[setting.env] ?? setting.default
    if (text === undefined) {
      problems.push(`${setting.env} is not set. ${setting.description}`)
      continue
    }
    try {
      values[name] = setting.parse(text)
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      const problem = setting.isSecret ? `${setting.env}: ${why}` : `${setting.env}=${JSON.stringify(text)}: ${why}`
      if (!problems.includes(problem)) problems.push(problem)
    }
  }
  if (problems.length === 0) problems.push(...check(values as Values<S>))
  if (problems.length > 0) throw new ConfigError(problems)
  return values as Values<S>
}

interface Common {
  readonly default?: string
  readonly description: string
}

const setting = <T>(env: string, common: Common, parse: (text: string) => T): Setting<T> => ({
  env,
  default: common.default,
  description: common.description,
  parse,
})

export function text(env: string, common: Common & { readonly pattern?: RegExp; readonly form?: string }): Setting<string> {
  return setting(env, common, (value) => {
    if (common.pattern && !common.pattern.test(value)) throw new Error(`must be ${common.form ?? String(common.pattern)}`)
    return value
  })
}

/** A password or the like. */
export const secret = (env: string, description: string): Setting<string> => ({
  ...{ env, description, default: '', isSecret: true },
  parse: (value) => value,
})

export function wholeNumber(env: string, common: Common & { readonly min: number; readonly max: number }): Setting<number> {
  return setting(env, common, (value) => {
    const number = Number(value)
    if (!/^\d+$/.test(value) || number < common.min || number > common.max) {
      throw new Error(`must be a whole number from ${common.min} to ${common.max}`)
    }
    return number
  })
}

const unitMs: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

/** A duration such as `500ms`, `5s`, `2m`; the value is in milliseconds. */
export function duration(env: string, common: Common & { readonly minMs: number; readonly maxMs: number }): Setting<number> {
  return setting(env, common, (value) => {
    const match = /^(\d+)(ms|s|m|h|d)$/.exec(value)
    const ms = match ? Number(match[1]) * unitMs[match[2]!]! : Number.NaN
    if (!(ms >= common.minMs && ms <= common.maxMs)) {
      throw new Error(`must be a duration such as 500ms, 5s or 2m, from ${common.minMs}ms to ${common.maxMs}ms`)
    }
    return ms
  })
}

const unitBytes: Record<string, number> = { B: 1, KiB: 1024, MiB: 1 << 20, GiB: 2 ** 30 }

/** A size such as `64KiB` or `4MiB`; the value is in bytes. */
export function bytes(env: string, common: Common & { readonly min: number; readonly max: number }): Setting<number> {
  return setting(env, common, (value) => {
    const match = /^(\d+)(B|KiB|MiB|GiB)$/.exec(value)
    const size = match ? Number(match[1]) * unitBytes[match[2]!]! : Number.NaN
    if (!(size >= common.min && size <= common.max))
      throw new Error(`must be a size such as 64KiB or 4MiB, from ${common.min}B to ${common.max}B`)
    return size
  })
}

export function choice<const C extends string>(env: string, common: Common & { readonly of: readonly C[] }): Setting<C> {
  return setting(env, common, (value) => {
    const found = common.of.find((each) => each === value)
    if (found === undefined) throw new Error(`must be one of ${common.of.join(', ')}`)
    return found
  })
}

/** Addresses as `host:port`, separated by commas. */
export function addresses(env: string, common: Common): Setting<readonly string[]> {
  return setting(env, common, (value) => {
    const list = value.split(',').map((each) => each.trim())
    const wrong = list.find((each) => !/^(\[[0-9a-fA-F:]+\]|[a-zA-Z0-9._-]+):\d{1,5}$/.test(each))
    if (wrong !== undefined)
      throw new Error(`must be addresses as host:port, separated by commas; ${JSON.stringify(wrong)} is not one`)
    return list
  })
}

/** Names of lower-case letters, digits and dashes, separated by commas; `what` is what they are names of, and `reserved` is none of them. */
export function names(
  env: string,
  common: Common & { readonly what: string; readonly reserved: string },
): Setting<readonly string[]> {
  return setting(env, common, (value) => {
    const list = value === '' ? [] : value.split(',').map((each) => each.trim())
    const wrong = list.find((each) => !/^[a-z][a-z0-9-]{0,62}$/.test(each) || each === common.reserved)
    if (wrong !== undefined)
      throw new Error(
        `must be names of lower-case letters, digits and dashes, separated by commas, none of them ${common.reserved}; ${JSON.stringify(wrong)} is not one`,
      )
    const twice = list.find((each, at) => list.indexOf(each) !== at)
    if (twice !== undefined) throw new Error(`must name each ${common.what} once; ${JSON.stringify(twice)} is there twice`)
    return list
  })
}

export function url(env: string, common: Common & { readonly protocols: readonly string[] }): Setting<string> {
  return setting(env, common, (value) => {
    const parsed = URL.canParse(value) ? new URL(value) : undefined
    if (!parsed || !common.protocols.includes(parsed.protocol)) {
      throw new Error(`must be a URL that starts with ${common.protocols.map((each) => `${each}//`).join(' or ')}`)
    }
    return value
  })
}

/** The settings as rows of a Markdown table: the README's configuration tables are made of this. */
export function describeConfig(schema: Record<string, Setting<unknown>>): string {
  const rows = Object.values(schema).map(
    (each) =>
      `| \`${each.env}\` | ${each.default === undefined ? '(required)' : each.default === '' ? '' : `\`${each.default}\``} | ${each.description} |`,
  )
  return ['| variable | default | what |', '|---|---|---|', ...rows].join('\n')
}

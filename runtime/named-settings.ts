import { ConfigError, readConfig, type Setting } from './config.ts'

export type Env = Readonly<Record<string, string | undefined>>

/** Things of one kind that the environment describes by name, each by variables with a prefix of its own: Kafka clusters, schema registries. */
export interface NamedKind<T> {
  /** `cluster`, `clusters`. */
  readonly words: readonly [one: string, many: string]
  /** The one that is there without being listed, and whose variables have no name in them. */
  readonly unlisted: string
  /** The variable that lists the others. */
  readonly env: string
  readonly names: Setting<readonly string[]>
  readonly prefixOf: (name: string) => string
  /** The variables that tell where each of them is: how they look, and what follows the prefix. */
  readonly place: { readonly pattern: RegExp; readonly name: string }
  /** Throws a ConfigError, or adds to problems what is wrong. Undefined: there is none. */
  readonly read: (name: string, prefix: string, problems: string[]) => T | undefined
}

/** All that there are, and everything that is wrong with their settings: none of them is to be used then. */
export function readNamed<T>(env: Env, kind: NamedKind<T>): { readonly found: T[]; readonly problems: string[] } {
  const { prefixOf, read, words } = kind
  const problems: string[] = []
  const found: T[] = []
  const all = [kind.unlisted, ...namesIn(env, kind, problems)]
  for (const name of all) {
    try {
      const one = read(name, prefixOf(name), problems)
      if (one !== undefined) found.push(one)
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      problems.push(...error.problems)
    }
  }
  const twice = all.find((name, at) => all.findIndex((each) => prefixOf(each) === prefixOf(name)) !== at)
  if (twice !== undefined) problems.push(`${kind.env}: two ${words[1]} have the variables ${prefixOf(twice)}*`)
  return { found, problems: [...problems, ...findUnlisted(env, kind, all)] }
}

function namesIn<T>(env: Env, { names }: NamedKind<T>, problems: string[]): readonly string[] {
  try {
    return readConfig({ names }, env).names
  } catch (error) {
    problems.push(...(error as ConfigError).problems)
    return []
  }
}

/** Settings of one that nobody listed: most likely a name that was written in two ways. */
function findUnlisted<T>(env: Env, { env: list, words, place, prefixOf }: NamedKind<T>, all: readonly string[]): string[] {
  const prefixes = all.map(prefixOf)
  return Object.keys(env)
    .filter((each) => place.pattern.test(each) && !prefixes.includes(each.slice(0, -place.name.length)))
    .map((each) => `${each} is set, and ${list} names no ${words[0]} that it is of: add its name there`)
}

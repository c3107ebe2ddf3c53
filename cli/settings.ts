import { readFileSync } from 'node:fs'
import { homedir, userInfo } from 'node:os'
import { join, resolve } from 'node:path'
import { usageError } from './cli-error.ts'
import { parseDurationMs } from './duration.ts'

/** Flags that every command has. */
export interface GlobalFlags {
  readonly address?: string
  readonly namespace?: string
  readonly token?: string
  readonly tokenFile?: string
  readonly ca?: string
  readonly clientCert?: string
  readonly clientKey?: string
  readonly timeout?: string
  readonly context?: string
  readonly config?: string
  readonly output?: string
}

export interface Settings {
  /** `http://host:port` or `https://host:port`. */
  readonly address: URL
  /** Where the address was found, for whoever wonders. */
  readonly addressFrom: string
  readonly namespace: string | undefined
  readonly token: string | undefined
  readonly ca: Buffer | undefined
  readonly certificate: Buffer | undefined
  readonly key: Buffer | undefined
  /** Whom the audit names beside the token. */
  readonly actor: string
  readonly timeoutMs: number
}

type Env = Readonly<Record<string, string | undefined>>

interface Context {
  readonly address?: string
  readonly namespace?: string
  readonly token_file?: string
  readonly ca?: string
  readonly client_cert?: string
  readonly client_key?: string
}

export interface ConfigFile {
  readonly path: string
  readonly current: string | undefined
  readonly contexts: Readonly<Record<string, Context>>
}

const defaultAddress = 'localhost:7070'
const defaultTimeout = '60s'
const contextFields = ['address', 'namespace', 'token_file', 'ca', 'client_cert', 'client_key']

/** A flag goes before the environment, the environment before the context, the context before the default. */
export async function readSettings(flags: GlobalFlags, env: Env): Promise<Settings> {
  const { context, name } = await readContext(flags, env)
  const pick = (
    flag: string | undefined,
    variable: string,
    field: keyof Context,
  ): { value: string; from: string } | undefined => {
    if (flag !== undefined) return { value: flag, from: `--${field.replaceAll('_', '-')}` }
    const given = env[variable] ?? ''
    if (given !== '') return { value: given, from: variable }
    const kept = context[field]
    return kept === undefined ? undefined : { value: kept, from: `context ${name}` }
  }
  const ca = pick(flags.ca, 'FERRY_CA', 'ca')
  const certificate = pick(flags.clientCert, 'FERRY_CLIENT_CERT', 'client_cert')
  const key = pick(flags.clientKey, 'FERRY_CLIENT_KEY', 'client_key')
  if ((certificate === undefined) !== (key === undefined))
    throw usageError(
      'a client certificate needs its private key, and the key its certificate',
      'give --client-cert and --client-key together',
    )
  const found = pick(flags.address, 'FERRY_ADDRESS', 'address') ?? { value: defaultAddress, from: 'the default' }
  const address = parseAddress(found.value, found.from, ca !== undefined || certificate !== undefined)
  const token = readToken(flags, env, context)
  if (token !== undefined && address.protocol === 'http:' && !isLoopback(address) && !found.value.startsWith('http://'))
    throw usageError(
      `the token would travel to ${address.host} for everybody to read: the address says nothing of TLS`,
      `write https://${address.host}, or http://${address.host} when the way there is safe by other means`,
    )
  return {
    address,
    addressFrom: found.from,
    namespace: pick(flags.namespace, 'FERRY_NAMESPACE', 'namespace')?.value,
    token,
    ca: ca && readBytes(ca.value, ca.from),
    certificate: certificate && readBytes(certificate.value, certificate.from),
    key: key && readBytes(key.value, key.from),
    actor: actorOf(env),
    timeoutMs: parseDurationMs(flags.timeout ?? defaultTimeout, '--timeout'),
  }
}

function parseAddress(text: string, from: string, secure: boolean): URL {
  const withScheme = /^https?:\/\//.test(text) ? text : `${secure ? 'https' : 'http'}://${text}`
  const url = URL.canParse(withScheme) ? new URL(withScheme) : undefined
  if (url === undefined || url.hostname === '' || url.pathname !== '/' || url.search !== '' || url.username !== '')
    throw usageError(`"${text}" (${from}) is no address of a control plane`, 'write host:port, or https://host:port for TLS')
  if (secure && url.protocol === 'http:')
    throw usageError(`"${text}" (${from}) has no TLS, but a CA or a client certificate is given`, `write https://${url.host}`)
  return url
}

const isLoopback = ({ hostname }: URL): boolean => hostname === 'localhost' || hostname === '[::1]' || hostname.startsWith('127.')

function readToken(flags: GlobalFlags, env: Env, context: Context): string | undefined {
  if (flags.token !== undefined) return flags.token.trim()
  if (flags.tokenFile !== undefined) return readBytes(flags.tokenFile, '--token-file').toString('utf8').trim()
  const token = (env['FERRY_TOKEN'] ?? '').trim()
  if (token !== '') return token
  const file = env['FERRY_TOKEN_FILE'] ?? ''
  if (file !== '') return readBytes(file, 'FERRY_TOKEN_FILE').toString('utf8').trim()
  return context.token_file === undefined ? undefined : readBytes(context.token_file, 'token_file').toString('utf8').trim()
}

/** The user of this machine, unless FERRY_ACTOR says who it is. */
function actorOf(env: Env): string {
  const given = (env['FERRY_ACTOR'] ?? '').trim()
  if (given !== '') return given
  try {
    return userInfo().username
  } catch {
    return ''
  }
}

function readBytes(path: string, from: string): Buffer {
  const absolute = path.startsWith('~/') ? join(homedir(), path.slice(2)) : resolve(path)
  try {
    return readFileSync(absolute)
  } catch (error) {
    throw usageError(`cannot read ${absolute} (${from}): ${(error as Error).message}`)
  }
}

async function readContext(flags: GlobalFlags, env: Env): Promise<{ context: Context; name: string }> {
  const asked = flags.context ?? (env['FERRY_CONTEXT'] || undefined)
  const file = await readConfigFile(flags, env)
  if (file === undefined) {
    if (asked === undefined) return { context: {}, name: '' }
    throw usageError(
      `there is no context "${asked}": no config file`,
      `write it to ${configPath(flags, env).path}; docs/cli.md shows how`,
    )
  }
  const name = asked ?? file.current
  if (name === undefined) return { context: {}, name: '' }
  const context = file.contexts[name]
  if (context === undefined) {
    const names = Object.keys(file.contexts).join(', ')
    throw usageError(`there is no context "${name}" in ${file.path}`, names === '' ? 'it has none' : `it has ${names}`)
  }
  return { context, name }
}

function configPath(flags: GlobalFlags, env: Env): { path: string; asked: boolean } {
  const asked = flags.config ?? (env['FERRY_CONFIG'] || undefined)
  const home = env['XDG_CONFIG_HOME'] || join(homedir(), '.config')
  return { path: asked ?? join(home, 'ferry', 'config.yaml'), asked: asked !== undefined }
}

/** Undefined when there is none and nobody has asked for it. */
export async function readConfigFile(flags: GlobalFlags, env: Env): Promise<ConfigFile | undefined> {
  const { path, asked } = configPath(flags, env)
  let text: string
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (!asked && (error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw usageError(`cannot read the config file ${path}: ${(error as Error).message}`)
  }
  const { parse } = await import('yaml')
  let parsed: unknown
  try {
    parsed = parse(text)
  } catch (error) {
    throw usageError(`the config file ${path} is no YAML: ${(error as Error).message}`)
  }
  const { current, contexts = {} } = (parsed ?? {}) as { current?: unknown; contexts?: unknown }
  const problems = [...problemsOf(parsed, current, contexts)]
  if (problems.length > 0) throw usageError(`the config file ${path} is wrong`, ...problems)
  return { path, current: current as string | undefined, contexts: contexts as Record<string, Context> }
}

function* problemsOf(parsed: unknown, current: unknown, contexts: unknown): Generator<string> {
  const isMap = (value: unknown): value is Record<string, unknown> =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
  if (parsed !== null && !isMap(parsed)) return yield 'it must have `current` and `contexts`'
  for (const field of Object.keys(parsed ?? {}))
    if (field !== 'current' && field !== 'contexts') yield `${field}: there is no such field; it has \`current\` and \`contexts\``
  if (current !== undefined && typeof current !== 'string') yield 'current: must be the name of a context'
  if (!isMap(contexts)) return yield 'contexts: must be names with their settings'
  for (const [name, context] of Object.entries(contexts)) {
    if (!isMap(context)) yield `contexts.${name}: must have some of ${contextFields.join(', ')}`
    else
      for (const [field, value] of Object.entries(context))
        if (!contextFields.includes(field))
          yield `contexts.${name}.${field}: there is no such field; there are ${contextFields.join(', ')}`
        else if (typeof value !== 'string') yield `contexts.${name}.${field}: must be text`
  }
}

import { X509Certificate } from 'node:crypto'
import { ConfigError, readConfig, type Values } from './config.ts'
import { readSettingFile } from './read-setting-file.ts'
import { defaultRegistry, registryNames, registryPrefix, schemaRegistrySettings } from './schema-registry-settings.ts'

type Env = Readonly<Record<string, string | undefined>>

/** One schema registry, as the environment describes it; files are read. */
export interface SchemaRegistryConfig {
  readonly name: string
  /** At least one. */
  readonly urls: readonly string[]
  /** Value of the authorization header. */
  readonly authorization: string | undefined
  readonly ca: string | undefined
  readonly timeoutMs: number
  readonly schemasMax: number
}

type RegistryValues = Values<ReturnType<typeof schemaRegistrySettings>>

/** All registries that have a URL, and everything that is wrong with their settings: none of them is to be used then. */
export function readSchemaRegistries(env: Env): { readonly registries: SchemaRegistryConfig[]; readonly problems: string[] } {
  const problems: string[] = []
  const registries: SchemaRegistryConfig[] = []
  const all = [defaultRegistry, ...namesIn(env, problems)]
  for (const name of all) {
    const prefix = registryPrefix(name)
    try {
      const found = registryOf(name, prefix, readConfig(schemaRegistrySettings(prefix), env), problems)
      if (found !== undefined) registries.push(found)
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      problems.push(...error.problems)
    }
  }
  const twice = all.find((name, at) => all.findIndex((each) => registryPrefix(each) === registryPrefix(name)) !== at)
  if (twice !== undefined) problems.push(`FERRY_SCHEMA_REGISTRIES: two registries have the variables ${registryPrefix(twice)}*`)
  return { registries, problems: [...problems, ...findUnlisted(env, all)] }
}

function namesIn(env: Env, problems: string[]): readonly string[] {
  try {
    return readConfig({ names: registryNames }, env).names
  } catch (error) {
    problems.push(...(error as ConfigError).problems)
    return []
  }
}

/** Settings of a registry that nobody listed: most likely a name that was written in two ways. */
function findUnlisted(env: Env, all: readonly string[]): string[] {
  const prefixes = all.map(registryPrefix)
  return Object.keys(env)
    .filter(
      (each) => /^FERRY_SCHEMA_REGISTRY_([A-Z0-9_]+_)?URLS$/.test(each) && !prefixes.includes(each.slice(0, -'URLS'.length)),
    )
    .map((each) => `${each} is set, and FERRY_SCHEMA_REGISTRIES names no registry that it is of: add its name there`)
}

function registryOf(name: string, prefix: string, values: RegistryValues, problems: string[]): SchemaRegistryConfig | undefined {
  const { schemaRegistryUrls: urls, schemaRegistryTimeoutMs: timeoutMs, schemaRegistrySchemasMax: schemasMax } = values
  const authorization = authorizationOf(prefix, values, problems)
  const ca = caOf(`${prefix}TLS_CA_FILE`, values.schemaRegistryCaFile, problems)
  if (urls.length > 0) return { name, urls, authorization, ca, timeoutMs, schemasMax }
  if (name !== defaultRegistry) problems.push(`${prefix}URLS is not set, and FERRY_SCHEMA_REGISTRIES names ${name}`)
  else if (authorization !== undefined || ca !== undefined)
    problems.push(`${prefix}URLS is not set, and other settings of that registry are`)
  return undefined
}

function authorizationOf(prefix: string, values: RegistryValues, problems: string[]): string | undefined {
  const { schemaRegistryUsername: username } = values
  const password = oneOf(`${prefix}PASSWORD`, values.schemaRegistryPassword, values.schemaRegistryPasswordFile, problems)
  const token = oneOf(`${prefix}TOKEN`, values.schemaRegistryToken, values.schemaRegistryTokenFile, problems)
  if (token !== '' && (username !== '' || password !== ''))
    problems.push(`${prefix}TOKEN and ${prefix}USERNAME are both given: take one away`)
  if ((username === '') !== (password === ''))
    problems.push(`${prefix}USERNAME and ${prefix}PASSWORD_FILE (or ${prefix}PASSWORD) must be given both, or neither`)
  if (/[^\x21-\x7e]/.test(token)) problems.push(`${prefix}TOKEN has a space or another character that no header can have`)
  if (username.includes(':')) problems.push(`${prefix}USERNAME has a colon, which basic authentication does not allow`)
  if (token !== '') return `Bearer ${token}`
  return username === '' ? undefined : `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

/** A secret, or what is in its file. */
function oneOf(env: string, value: string, path: string, problems: string[]): string {
  if (value !== '' && path !== '') problems.push(`${env} and ${env}_FILE are both given: take one away`)
  return value || readSettingFile(`${env}_FILE`, path, problems).replace(/\r?\n$/, '')
}

function caOf(env: string, path: string, problems: string[]): string | undefined {
  const pem = readSettingFile(env, path, problems)
  if (pem === '') return undefined
  try {
    new X509Certificate(pem)
  } catch {
    problems.push(`${env}: the file has no certificate in PEM (-----BEGIN CERTIFICATE-----)`)
  }
  return pem
}

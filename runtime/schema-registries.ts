import { readConfig, type Values } from './config.ts'
import { type Env, readNamed } from './named-settings.ts'
import { readCertificate, readSettingFile, readSettingSecret } from './read-setting-file.ts'
import { defaultRegistry, registryNames, registryPrefix, schemaRegistrySettings } from './schema-registry-settings.ts'

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
  const { found: registries, problems } = readNamed(env, {
    ...{ words: ['registry', 'registries'], unlisted: defaultRegistry, env: 'FERRY_SCHEMA_REGISTRIES', names: registryNames },
    ...{ prefixOf: registryPrefix, place: { pattern: /^FERRY_SCHEMA_REGISTRY_([A-Z0-9_]+_)?URLS$/, name: 'URLS' } },
    read: (name, prefix, found) => registryOf(name, prefix, readConfig(schemaRegistrySettings(prefix), env), found),
  })
  return { registries, problems }
}

function registryOf(name: string, prefix: string, values: RegistryValues, problems: string[]): SchemaRegistryConfig | undefined {
  const { schemaRegistryUrls: urls, schemaRegistryTimeoutMs: timeoutMs, schemaRegistrySchemasMax: schemasMax } = values
  const authorization = authorizationOf(prefix, values, problems)
  const ca = readSettingFile(`${prefix}TLS_CA_FILE`, values.schemaRegistryCaFile, problems) || undefined
  readCertificate(`${prefix}TLS_CA_FILE`, ca ?? '', problems)
  if (urls.length > 0) return { name, urls, authorization, ca, timeoutMs, schemasMax }
  if (name !== defaultRegistry) problems.push(`${prefix}URLS is not set, and FERRY_SCHEMA_REGISTRIES names ${name}`)
  else if (authorization !== undefined || ca !== undefined)
    problems.push(`${prefix}URLS is not set, and other settings of that registry are`)
  return undefined
}

function authorizationOf(prefix: string, values: RegistryValues, problems: string[]): string | undefined {
  const { schemaRegistryUsername: username } = values
  const password = readSettingSecret(
    `${prefix}PASSWORD`,
    values.schemaRegistryPassword,
    values.schemaRegistryPasswordFile,
    problems,
  )
  const token = readSettingSecret(`${prefix}TOKEN`, values.schemaRegistryToken, values.schemaRegistryTokenFile, problems)
  if (token !== '' && (username !== '' || password !== ''))
    problems.push(`${prefix}TOKEN and ${prefix}USERNAME are both given: take one away`)
  if ((username === '') !== (password === ''))
    problems.push(`${prefix}USERNAME and ${prefix}PASSWORD_FILE (or ${prefix}PASSWORD) must be given both, or neither`)
  if (/[^\x21-\x7e]/.test(token)) problems.push(`${prefix}TOKEN has a space or another character that no header can have`)
  if (username.includes(':')) problems.push(`${prefix}USERNAME has a colon, which basic authentication does not allow`)
  if (token !== '') return `Bearer ${token}`
  return username === '' ? undefined : `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
}

import { duration, names, secret, text, wholeNumber } from './config.ts'

/** The registry that a use case means when it names none. */
export const defaultRegistry = 'default'

/** Where the variables of a registry begin. */
export const registryPrefix = (registry: string): string =>
  registry === defaultRegistry
    ? 'FERRY_SCHEMA_REGISTRY_'
    : `FERRY_SCHEMA_REGISTRY_${registry.toUpperCase().replaceAll('-', '_')}_`

/** What one schema registry needs. */
export const schemaRegistrySettings = (prefix: string) => ({
  schemaRegistryUrls: {
    env: `${prefix}URLS`,
    default: '',
    description:
      'URLs of the schema registry `default`, separated by commas: when one does not answer the next is asked. A path in front of `/schemas` belongs to it. Empty: there is none. It must be allowed by FERRY_EGRESS_ALLOW ([docs/schema-registry.md](docs/schema-registry.md)).',
    // Somebody may write a password into it, which is refused.
    isSecret: true,
    parse: readUrls,
  },
  schemaRegistryUsername: text(`${prefix}USERNAME`, {
    default: '',
    description: 'User for basic authentication there. Empty: none.',
  }),
  schemaRegistryPassword: secret(`${prefix}PASSWORD`, 'Its password. Better in a file: processes show their environment.'),
  schemaRegistryPasswordFile: text(`${prefix}PASSWORD_FILE`, {
    default: '',
    description: 'File that has the password instead; a line feed at its end is left out. Read at the start.',
  }),
  schemaRegistryToken: secret(`${prefix}TOKEN`, 'Bearer token, in place of a user. Better in a file.'),
  schemaRegistryTokenFile: text(`${prefix}TOKEN_FILE`, { default: '', description: 'File that has the token instead.' }),
  schemaRegistryCaFile: text(`${prefix}TLS_CA_FILE`, {
    default: '',
    description:
      "PEM file of the CA certificates that the registry's certificate is checked against. Empty: those that Node brings along.",
  }),
  schemaRegistryTimeoutMs: duration(`${prefix}TIMEOUT`, {
    default: '5s',
    minMs: 100,
    maxMs: 60_000,
    description:
      'An answer of the registry that takes longer has failed, and is asked for again: after 1 s, later after up to 30 s.',
  }),
  schemaRegistrySchemasMax: wholeNumber(`${prefix}SCHEMAS_MAX`, {
    default: '1000',
    min: 1,
    max: 1_000_000,
    description: 'Schemas that are remembered; the one that was not asked for longest is forgotten.',
  }),
})

/** Names of further registries. */
export const registryNames = names('FERRY_SCHEMA_REGISTRIES', {
  what: 'schema registry',
  reserved: defaultRegistry,
  default: '',
  description:
    'Names of further schema registries, separated by commas; a use case says which one by `decode.schema_registry.registry`. Each has all FERRY_SCHEMA_REGISTRY_ settings with its name in them, `-` as `_`: registry `west-2` begins with FERRY_SCHEMA_REGISTRY_WEST_2_URLS. The same for all processes.',
})

/** A password in a URL is never printed. */
function readUrls(value: string): readonly string[] {
  const urls = value === '' ? [] : value.split(',').map((each) => each.trim())
  for (const each of urls) {
    const url = URL.canParse(each) ? new URL(each) : undefined
    if (url === undefined || !['http:', 'https:'].includes(url.protocol))
      throw new Error('must be http or https URLs, separated by commas')
    if (url.username !== '' || url.password !== '')
      throw new Error('must have no user or password: give them as _USERNAME and _PASSWORD_FILE')
    if (url.search !== '' || url.hash !== '') throw new Error('must have no query and no fragment')
  }
  return urls
}

import { createPrivateKey, X509Certificate } from 'node:crypto'
import { ConfigError, readConfig, type Values } from './config.ts'
import { clusterNames, defaultCluster, kafkaClusterSettings, prefixOf } from './kafka-settings.ts'
import { readSettingFile } from './read-setting-file.ts'

type Env = Readonly<Record<string, string | undefined>>

/** One Kafka cluster, as the environment describes it; files are read. */
export interface KafkaClusterConfig {
  readonly name: string
  readonly brokers: readonly string[]
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string }
  readonly sasl?: {
    readonly mechanism: 'PLAIN' | 'SCRAM-SHA-256' | 'SCRAM-SHA-512' | 'OAUTHBEARER'
    readonly username: string
    readonly password: string
    /** With OAUTHBEARER only. */
    readonly tokenUrl: string
    readonly scope: string
  }
}

type ClusterValues = Values<ReturnType<typeof kafkaClusterSettings>>

/** `default` and all further clusters, and everything that is wrong with their settings: none of them is to be used then. */
export function readKafkaClusters(env: Env): { readonly clusters: KafkaClusterConfig[]; readonly problems: string[] } {
  const problems: string[] = []
  const clusters: KafkaClusterConfig[] = []
  const names = [defaultCluster, ...namesIn(env, problems)]
  for (const name of names) {
    const prefix = prefixOf(name)
    try {
      const values = readConfig(kafkaClusterSettings(prefix), env)
      clusters.push(clusterOf(name, prefix, values, problems))
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      problems.push(...error.problems)
    }
  }
  const twice = names.find((name, at) => names.findIndex((each) => prefixOf(each) === prefixOf(name)) !== at)
  if (twice !== undefined) problems.push(`FERRY_KAFKA_CLUSTERS: two clusters have the variables ${prefixOf(twice)}*`)
  return { clusters, problems: [...problems, ...findUnlisted(env, names)] }
}

function namesIn(env: Env, problems: string[]): readonly string[] {
  const names = clusterNames('FERRY_KAFKA_CLUSTERS', { default: '', description: '' })
  try {
    return readConfig({ names }, env).names
  } catch (error) {
    problems.push(...(error as ConfigError).problems)
    return []
  }
}

/** Settings of a cluster that nobody listed: most likely a name that was written in two ways. */
function findUnlisted(env: Env, names: readonly string[]): string[] {
  const prefixes = names.map(prefixOf)
  return Object.keys(env)
    .filter((each) => /^FERRY_KAFKA_[A-Z0-9_]+_BROKERS$/.test(each) && !prefixes.includes(each.slice(0, -'BROKERS'.length)))
    .map((each) => `${each} is set, and FERRY_KAFKA_CLUSTERS names no cluster that it is of: add its name there`)
}

function clusterOf(name: string, prefix: string, values: ClusterValues, problems: string[]): KafkaClusterConfig {
  const found: string[] = []
  const tls = tlsOf(prefix, values, found)
  const sasl = saslOf(prefix, values, found)
  problems.push(...found)
  return { name, brokers: values.kafkaBrokers, ...(tls && { tls }), ...(sasl && { sasl }) }
}

function tlsOf(prefix: string, values: ClusterValues, problems: string[]): KafkaClusterConfig['tls'] {
  const { kafkaTls, kafkaTlsCaFile, kafkaTlsCertificateFile, kafkaTlsKeyFile } = values
  const isAny = kafkaTlsCaFile !== '' || kafkaTlsCertificateFile !== '' || kafkaTlsKeyFile !== ''
  if (kafkaTls === 'off') {
    if (isAny) problems.push(`${prefix}TLS is off, and ${prefix}TLS_* files are given: set it to on, or take them away`)
    return undefined
  }
  if ((kafkaTlsCertificateFile === '') !== (kafkaTlsKeyFile === ''))
    problems.push(`${prefix}TLS_CERTIFICATE_FILE and ${prefix}TLS_KEY_FILE must be given both, or neither`)
  const ca = readSettingFile(`${prefix}TLS_CA_FILE`, kafkaTlsCaFile, problems)
  const cert = readSettingFile(`${prefix}TLS_CERTIFICATE_FILE`, kafkaTlsCertificateFile, problems)
  const key = readSettingFile(`${prefix}TLS_KEY_FILE`, kafkaTlsKeyFile, problems)
  checkPem(prefix, { ca, cert, key }, problems)
  return { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) }
}

/** Nothing of a key is printed, nor what its parser says of it. */
function checkPem(prefix: string, { ca, cert, key }: { ca: string; cert: string; key: string }, problems: string[]): void {
  const certificateIn = (name: string, pem: string): X509Certificate | undefined => {
    try {
      return pem === '' ? undefined : new X509Certificate(pem)
    } catch {
      problems.push(`${prefix}${name}: the file has no certificate in PEM (-----BEGIN CERTIFICATE-----)`)
      return undefined
    }
  }
  certificateIn('TLS_CA_FILE', ca)
  const certificate = certificateIn('TLS_CERTIFICATE_FILE', cert)
  if (key === '') return
  try {
    const privateKey = createPrivateKey(key)
    if (certificate !== undefined && !certificate.checkPrivateKey(privateKey))
      problems.push(`${prefix}TLS_KEY_FILE: the key is not the one of the certificate in ${prefix}TLS_CERTIFICATE_FILE`)
  } catch {
    problems.push(`${prefix}TLS_KEY_FILE: the file has no private key in PEM, or it is encrypted (openssl pkey decrypts it)`)
  }
}

function saslOf(prefix: string, values: ClusterValues, problems: string[]): KafkaClusterConfig['sasl'] {
  const { kafkaSaslMechanism: mechanism, kafkaSaslUsername: username, kafkaSaslPassword, kafkaSaslPasswordFile } = values
  const { kafkaOauthTokenUrl: tokenUrl, kafkaOauthScope: scope } = values
  if (mechanism === 'none') {
    if ([username, kafkaSaslPassword, kafkaSaslPasswordFile, tokenUrl, scope].some((each) => each !== ''))
      problems.push(`${prefix}SASL_MECHANISM is none, and a user, a password or an OAuth server is given: say which mechanism`)
    return undefined
  }
  if (kafkaSaslPassword !== '' && kafkaSaslPasswordFile !== '')
    problems.push(`${prefix}SASL_PASSWORD and ${prefix}SASL_PASSWORD_FILE are both given: take one away`)
  const password =
    kafkaSaslPassword || readSettingFile(`${prefix}SASL_PASSWORD_FILE`, kafkaSaslPasswordFile, problems).replace(/\r?\n$/, '')
  if (username === '') problems.push(`${prefix}SASL_USERNAME is not set, and ${mechanism} needs it`)
  if (kafkaSaslPassword === '' && kafkaSaslPasswordFile === '')
    problems.push(`${prefix}SASL_PASSWORD_FILE (or ${prefix}SASL_PASSWORD) is not set, and ${mechanism} needs it`)
  const isOauth = mechanism === 'OAUTHBEARER'
  if (isOauth && tokenUrl === '') problems.push(`${prefix}OAUTH_TOKEN_URL is not set, and OAUTHBEARER needs it`)
  if (!isOauth && (tokenUrl !== '' || scope !== ''))
    problems.push(`${prefix}OAUTH_* is given, and ${prefix}SASL_MECHANISM is ${mechanism}: only OAUTHBEARER uses it`)
  return { mechanism, username, password, tokenUrl, scope }
}

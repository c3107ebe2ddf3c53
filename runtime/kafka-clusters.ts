import { readConfig, type Values } from './config.ts'
import { clusterNames, defaultCluster, kafkaClusterSettings, prefixOf } from './kafka-settings.ts'
import { type Env, readNamed } from './named-settings.ts'
import { readSettingSecret } from './read-setting-file.ts'
import { readTlsFiles } from './tls-files.ts'

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
  const list = 'FERRY_KAFKA_CLUSTERS'
  const { found: clusters, problems } = readNamed(env, {
    ...{ words: ['cluster', 'clusters'], unlisted: defaultCluster, env: list },
    ...{ names: clusterNames(list, { default: '', description: '' }), prefixOf },
    place: { pattern: /^FERRY_KAFKA_[A-Z0-9_]+_BROKERS$/, name: 'BROKERS' },
    read: (name, prefix, found) => clusterOf(name, prefix, readConfig(kafkaClusterSettings(prefix), env), found),
  })
  return { clusters, problems }
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
  const names = { ca: `${prefix}TLS_CA_FILE`, cert: `${prefix}TLS_CERTIFICATE_FILE`, key: `${prefix}TLS_KEY_FILE` }
  const paths = { ca: kafkaTlsCaFile, cert: kafkaTlsCertificateFile, key: kafkaTlsKeyFile }
  const { ca, cert, key } = readTlsFiles(names, paths, problems)
  return { ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) }
}

function saslOf(prefix: string, values: ClusterValues, problems: string[]): KafkaClusterConfig['sasl'] {
  const { kafkaSaslMechanism: mechanism, kafkaSaslUsername: username, kafkaSaslPassword, kafkaSaslPasswordFile } = values
  const { kafkaOauthTokenUrl: tokenUrl, kafkaOauthScope: scope } = values
  if (mechanism === 'none') {
    if ([username, kafkaSaslPassword, kafkaSaslPasswordFile, tokenUrl, scope].some((each) => each !== ''))
      problems.push(`${prefix}SASL_MECHANISM is none, and a user, a password or an OAuth server is given: say which mechanism`)
    return undefined
  }
  const password = readSettingSecret(`${prefix}SASL_PASSWORD`, kafkaSaslPassword, kafkaSaslPasswordFile, problems)
  if (username === '') problems.push(`${prefix}SASL_USERNAME is not set, and ${mechanism} needs it`)
  if (kafkaSaslPassword === '' && kafkaSaslPasswordFile === '')
    problems.push(`${prefix}SASL_PASSWORD_FILE (or ${prefix}SASL_PASSWORD) is not set, and ${mechanism} needs it`)
  const isOauth = mechanism === 'OAUTHBEARER'
  if (isOauth && tokenUrl === '') problems.push(`${prefix}OAUTH_TOKEN_URL is not set, and OAUTHBEARER needs it`)
  if (!isOauth && (tokenUrl !== '' || scope !== ''))
    problems.push(`${prefix}OAUTH_* is given, and ${prefix}SASL_MECHANISM is ${mechanism}: only OAUTHBEARER uses it`)
  return { mechanism, username, password, tokenUrl, scope }
}

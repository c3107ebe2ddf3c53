import { addresses, choice, names, type Setting, secret, text } from './config.ts'

/** The cluster that a use case means when it names none. */
export const defaultCluster = 'default'

const isDefault = (prefix: string): boolean => prefix === prefixOf(defaultCluster)

/** What one Kafka cluster needs; `prefix` is where its variables' names begin. */
export const kafkaClusterSettings = (prefix: string) => ({
  kafkaBrokers: addresses(`${prefix}BROKERS`, {
    ...(isDefault(prefix) && { default: '127.0.0.1:9092' }),
    description: `Kafka brokers to start from, as host:port, separated by commas. They are ${isDefault(prefix) ? 'the cluster `default`' : `of the cluster whose settings begin with ${prefix}`}.`,
  }),
  kafkaTls: choice(`${prefix}TLS`, {
    of: ['off', 'on'],
    default: 'off',
    description: "on: brokers are reached by TLS, and their certificates are checked against the brokers' names.",
  }),
  kafkaTlsCaFile: file(
    `${prefix}TLS_CA_FILE`,
    "PEM file of the CA certificates that brokers' certificates are checked against. Empty: those that Node brings along.",
  ),
  kafkaTlsCertificateFile: file(
    `${prefix}TLS_CERTIFICATE_FILE`,
    'PEM file of the certificate that this process shows to brokers (mTLS), with what lies between it and the CA. Read at the start.',
  ),
  kafkaTlsKeyFile: file(`${prefix}TLS_KEY_FILE`, 'PEM file of its private key, not encrypted.'),
  kafkaSaslMechanism: choice(`${prefix}SASL_MECHANISM`, {
    of: ['none', 'PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'OAUTHBEARER'],
    default: 'none',
    description:
      'How this process says who it is: none, PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, or OAUTHBEARER with the client credentials of an OAuth 2 server.',
  }),
  kafkaSaslUsername: text(`${prefix}SASL_USERNAME`, { default: '', description: 'The user, or the OAuth client id.' }),
  kafkaSaslPassword: secret(
    `${prefix}SASL_PASSWORD`,
    'Its password, or the OAuth client secret. Better in a file: processes show their environment.',
  ),
  kafkaSaslPasswordFile: file(
    `${prefix}SASL_PASSWORD_FILE`,
    'File that has the password instead; a line feed at its end is left out. Read at the start.',
  ),
  kafkaOauthTokenUrl: text(`${prefix}OAUTH_TOKEN_URL`, {
    default: '',
    pattern: /^(https:\/\/|http:\/\/(127\.0\.0\.1|\[::1\]|localhost)[:/]).+$|^$/,
    form: 'a URL that starts with https:// (http:// only on loopback)',
    description: "The OAuth server's token endpoint, for OAUTHBEARER.",
  }),
  kafkaOauthScope: text(`${prefix}OAUTH_SCOPE`, { default: '', description: 'The scope that is asked for there. Empty: none.' }),
})

const file = (env: string, description: string): Setting<string> => text(env, { default: '', description })

/** Names of further clusters. */
export const clusterNames = (
  env: string,
  common: { readonly default: string; readonly description: string },
): Setting<readonly string[]> => names(env, { ...common, what: 'cluster', reserved: defaultCluster })

/** Where the variables of a cluster begin. */
export const prefixOf = (cluster: string): string =>
  cluster === defaultCluster ? 'FERRY_KAFKA_' : `FERRY_KAFKA_${cluster.toUpperCase().replaceAll('-', '_')}_`

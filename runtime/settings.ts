import { choice, type Setting, text, url } from './config.ts'
import { readEgressRules } from './egress-rules.ts'
import { clusterNames, defaultCluster, kafkaClusterSettings } from './kafka-settings.ts'
import { readClusterAddress } from './redis-address.ts'
import { registryNames, schemaRegistrySettings } from './schema-registry-settings.ts'
import { readSecretKeys } from './secret-keys.ts'

const hostAndPort = { pattern: /^(\[[0-9a-fA-F:]+\]|[a-zA-Z0-9._-]+):\d{1,5}$/, form: 'an address as host:port' }

/** An address to serve at. */
export const address = (env: string, defaultAddress: string, description: string) =>
  text(env, { ...hostAndPort, default: defaultAddress, description })

function redisUrl(env: string, common: Pick<Setting<string>, 'default' | 'description'>): Setting<string> {
  const parse = (text: string): string => {
    readClusterAddress(text)
    return text
  }
  return { env, ...common, parse }
}

/** What both processes connect to; the defaults are where `npm run local` serves. */
export const connectionSettings = {
  ...kafkaClusterSettings('FERRY_KAFKA_'),
  kafkaClusters: clusterNames('FERRY_KAFKA_CLUSTERS', {
    default: '',
    description:
      'Names of further Kafka clusters, separated by commas; a use case says which one by `source.cluster`. Each has all FERRY_KAFKA_ settings above with its name in them, `-` as `_`: cluster `west-2` begins with FERRY_KAFKA_WEST_2_BROKERS. The same for all processes ([docs/kafka.md](docs/kafka.md)).',
  }),
  ...schemaRegistrySettings('FERRY_SCHEMA_REGISTRY_'),
  schemaRegistries: registryNames,
  redisUrl: redisUrl('FERRY_REDIS_URL', {
    default: 'redis://127.0.0.1:6379',
    description:
      'Redis that keeps definitions and lane state: one server as `redis://host:port`, or a Redis Cluster as `redis+cluster://host:port,host:port`, some of its nodes to start from; `rediss` with TLS. It must append to a file and must not evict.',
  }),
  clickhouseUrl: url('FERRY_CLICKHOUSE_URL', {
    default: 'http://127.0.0.1:8123',
    protocols: ['http:', 'https:'],
    description: 'ClickHouse over HTTP; user and password may be part of the URL.',
  }),
  clickhouseDatabase: text('FERRY_CLICKHOUSE_DATABASE', {
    default: 'ferry',
    pattern: /^[a-zA-Z_][a-zA-Z0-9_]*$/,
    form: 'letters, digits and underscores',
    description: 'Database of the attempt log. The control plane creates it, and brings it to its release, at the start.',
  }),
  spool: choice('FERRY_SPOOL', {
    of: ['on', 'off'],
    default: 'on',
    description:
      'on: while ClickHouse is away for long, attempt rows wait in a topic in Kafka. off: workers stop sending when their buffers are full; nobody writes or drains that topic. The same for all processes.',
  }),
  spoolCluster: text('FERRY_SPOOL_CLUSTER', {
    default: 'default',
    pattern: /^[a-z][a-z0-9-]{0,62}$/,
    form: 'the name of a Kafka cluster',
    description: "The Kafka cluster that has the spool's topic. The same for all processes.",
  }),
  spoolTopic: text('FERRY_SPOOL_TOPIC', {
    default: '',
    pattern: /^[a-zA-Z0-9._-]{0,249}$/,
    form: 'the name of a Kafka topic, or empty',
    description:
      "The spool's topic; its group has the same name. Empty: `ferry.spool.` and the database. The same for all processes, another one for each installation.",
  }),
  egress: {
    env: 'FERRY_EGRESS_ALLOW',
    default: '',
    description:
      'Where endpoints may be beside public addresses, separated by commas: addresses, ranges as `10.1.0.0/16`, hosts, `*.domains`, `private`, `loopback`. The same for all processes. See docs/egress.md.',
    parse: readEgressRules,
  },
  secretKeys: {
    env: 'FERRY_SECRET_KEYS',
    default: '',
    description:
      'Keys that encrypt the secrets of use cases, as `id:base64` of 32 bytes (openssl rand -base64 32), separated by commas: the first encrypts, each decrypts. Empty: use cases with secrets are refused. The same for all processes. See docs/credentials.md.',
    isSecret: true,
    parse: readSecretKeys,
  },
  logLevel: choice('FERRY_LOG_LEVEL', {
    of: ['debug', 'info', 'warn', 'error'],
    default: 'info',
    description: 'Least severity that is logged to standard error: debug, info, warn or error.',
  }),
}

/** The topic that attempt rows wait in while ClickHouse is away; undefined when there is none. */
export const spoolTopicOf = (config: {
  readonly spool: 'on' | 'off'
  readonly spoolTopic: string
  readonly clickhouseDatabase: string
}): string | undefined => (config.spool === 'off' ? undefined : config.spoolTopic || `ferry.spool.${config.clickhouseDatabase}`)

/** The spool's cluster must be one of those that are configured. */
export const findSpoolProblems = (config: {
  readonly spoolCluster: string
  readonly kafkaClusters: readonly string[]
}): string[] =>
  config.spoolCluster === defaultCluster || config.kafkaClusters.includes(config.spoolCluster)
    ? []
    : [
        `FERRY_SPOOL_CLUSTER=${JSON.stringify(config.spoolCluster)}: must be ${[defaultCluster, ...config.kafkaClusters].join(' or ')}, or be named in FERRY_KAFKA_CLUSTERS`,
      ]

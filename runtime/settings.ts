import { addresses, choice, text, url } from './config.ts'

const hostAndPort = { pattern: /^(\[[0-9a-fA-F:]+\]|[a-zA-Z0-9._-]+):\d{1,5}$/, form: 'an address as host:port' }

/** An address to serve at. */
export const address = (env: string, defaultAddress: string, description: string) =>
  text(env, { ...hostAndPort, default: defaultAddress, description })

/** What both processes connect to; the defaults are where `npm run local` serves. */
export const connectionSettings = {
  kafkaBrokers: addresses('FERRY_KAFKA_BROKERS', {
    default: '127.0.0.1:9092',
    description: 'Kafka brokers to start from, as host:port, separated by commas. They are the cluster `default`.',
  }),
  redisUrl: url('FERRY_REDIS_URL', {
    default: 'redis://127.0.0.1:6379',
    protocols: ['redis:', 'rediss:'],
    description: 'Redis that keeps definitions and lane state. It must append to a file and must not evict.',
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
  logLevel: choice('FERRY_LOG_LEVEL', {
    of: ['debug', 'info', 'warn', 'error'],
    default: 'info',
    description: 'Least severity that is logged to standard error: debug, info, warn or error.',
  }),
}

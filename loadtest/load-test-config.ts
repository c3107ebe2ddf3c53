import { text } from '../runtime/config.ts'

const address = (env: string, what: string) =>
  text(env, { default: '', description: `Address of a ${what} that runs already; the load test then starts none.` })

/** What the load test reads from its environment. */
export const loadTestConfig = {
  kafkaBrokers: address('FERRY_KAFKA_BROKERS', 'Kafka'),
  redisUrl: address('FERRY_REDIS_URL', 'Redis'),
  clickhouseUrl: address('FERRY_CLICKHOUSE_URL', 'ClickHouse'),
  noColor: text('NO_COLOR', { default: '', description: 'Anything: no colours.' }),
}

import { text, wholeNumber } from '../../runtime/config.ts'

const port = (env: string, default_: string, what: string) =>
  wholeNumber(env, { default: default_, description: `Port of the local ${what}.`, min: 1, max: 65_535 })

const address = (env: string, what: string) =>
  text(env, { default: '', description: `Address of a ${what} that runs already; the local stack then starts none.` })

/** What `npm run local` reads from its environment. */
export const localConfig = {
  kafkaPort: port('FERRY_LOCAL_KAFKA_PORT', '9092', 'Kafka'),
  redisPort: port('FERRY_LOCAL_REDIS_PORT', '6379', 'Redis'),
  clickhousePort: port('FERRY_LOCAL_CLICKHOUSE_PORT', '8123', 'ClickHouse'),
  kafkaBrokers: address('FERRY_KAFKA_BROKERS', 'Kafka'),
  redisUrl: address('FERRY_REDIS_URL', 'Redis'),
  clickhouseUrl: address('FERRY_CLICKHOUSE_URL', 'ClickHouse'),
}

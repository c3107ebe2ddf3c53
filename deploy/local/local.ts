// `npm run local`: keeps Kafka, Redis and ClickHouse up for development, on fixed ports and with data that stays, until Ctrl-C.
import { join } from 'node:path'
import { ConfigError, readConfig } from '../../runtime/config.ts'
import { isPortFree } from './free-port.ts'
import { localConfig } from './local-config.ts'
import { type Stack, startStack } from './stack.ts'
import { StackError } from './stack-error.ts'

const dataDir = join(import.meta.dirname, '../../.local/data/local')

const parts = [
  { name: 'kafka', label: 'Kafka', port: 'kafkaPort', address: 'kafkaBrokers' },
  { name: 'redis', label: 'Redis', port: 'redisPort', address: 'redisUrl' },
  { name: 'clickhouse', label: 'ClickHouse', port: 'clickhousePort', address: 'clickhouseUrl' },
] as const

type Config = ReturnType<typeof readConfig<typeof localConfig>>

/** Every taken port at once, each with the variable that chooses another. */
async function takenPorts(config: Config): Promise<string[]> {
  const lines = parts.map(async ({ label, port, address }) => {
    if (config[address] !== '' || (await isPortFree(config[port]))) return []
    return [
      `port ${config[port]} for ${label} is taken by another process. Choose another with ${localConfig[port].env}, ` +
        `or use what runs there with ${localConfig[address].env}`,
    ]
  })
  return (await Promise.all(lines)).flat()
}

function describe(config: Config, stack: Stack): string {
  const addresses = parts.map(({ label, address }) => {
    const value = config[address] || String(stack[address])
    return { label, value, env: localConfig[address].env, given: config[address] !== '' }
  })
  return [
    '',
    ...addresses.map(({ label, value, given }) => `  ${label.padEnd(12)}${value}${given ? '   (yours: not started here)' : ''}`),
    `  ${'Data'.padEnd(12)}${dataDir}   (stays from run to run)`,
    '',
    'For the shell of the control plane (npm run control-plane) and of each worker (npm run worker):',
    '',
    ...addresses.map(({ env, value }) => `export ${env}=${value}`),
    '',
    addresses.every(({ given }) => given) ? 'There is nothing to start.' : 'Ctrl-C ends it.',
  ].join('\n')
}

async function keepUp(config: Config): Promise<void> {
  const wanted = parts.filter(({ address }) => config[address] === '')
  const part = (name: string): boolean => wanted.some((each) => each.name === name)
  let end: (code: number) => void = (code) => process.exit(code)
  // Until everything is up there is nothing worth an orderly end: the parts die with this process.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => end(0))
  const stack = await startStack({
    dataDir,
    kafka: part('kafka'),
    redis: part('redis'),
    clickhouse: part('clickhouse'),
    ports: { kafka: config.kafkaPort, redis: config.redisPort, clickhouse: config.clickhousePort },
    log: console.error,
    onDeath: (message) => {
      console.error(message)
      end(1)
    },
  })
  console.log(describe(config, stack))
  const code = await new Promise<number>((resolve) => {
    end = resolve
    if (wanted.length === 0) resolve(0)
  })
  // A second Ctrl-C does not wait.
  end = () => process.exit(1)
  await stack.stop()
  process.exitCode = code
}

try {
  if (process.argv.length > 2)
    throw new ConfigError([`npm run local takes no arguments, and got ${process.argv.slice(2).join(' ')}`])
  const config = readConfig(localConfig, process.env)
  const taken = await takenPorts(config)
  if (taken.length > 0) throw new ConfigError(taken)
  await keepUp(config)
} catch (error) {
  if (!(error instanceof ConfigError || error instanceof StackError)) throw error
  console.error(error.message)
  process.exit(error instanceof ConfigError ? 2 : 1)
}

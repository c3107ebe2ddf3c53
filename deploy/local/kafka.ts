import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { PartSpec } from './part.ts'
import { StackError } from './stack-error.ts'

/** Jars from deploy/local/kafka/pom.xml, copied there by the set-up. */
const jarDir = join(import.meta.dirname, '../../.local/kafka/lib')
const clusterId = 'FerryLocalStackAAAAAAA'

/** Short starts rather than top speed; the log level lets one line through that says when the broker is ready. */
const javaArgs = [
  ...['-XX:+UseSerialGC', '-XX:TieredStopAtLevel=1', '-Xshare:auto'],
  ...['-Dorg.slf4j.simpleLogger.defaultLogLevel=warn', '-Dorg.slf4j.simpleLogger.log.kafka.server.KafkaRaftServer=info'],
  ...['-cp', `${jarDir}/*`],
]

/** A node of the local cluster: the first is broker and controller in one, the second a broker that the first one's controller leads. */
export interface KafkaNode {
  readonly id: 1 | 2
  readonly port: number
  /** The controller's. */
  readonly controllerPort: number
  /** Everything is kept by both nodes. */
  readonly isReplicated: boolean
}

/** Who may come by SCRAM. */
export interface ScramUser {
  readonly mechanism: 'SCRAM-SHA-256' | 'SCRAM-SHA-512'
  readonly name: string
  readonly password: string
}

/** One KRaft node; formats its directory when it is new, with these users. `properties` go over the ones below. */
export async function kafkaSpec(
  dataDir: string,
  node: KafkaNode,
  properties: Readonly<Record<string, string>>,
  users: readonly ScramUser[] = [],
): Promise<Omit<PartSpec, 'onDeath'>> {
  if (!existsSync(jarDir)) {
    throw new StackError('MISSING_PROGRAM', `Kafka is not set up in ${jarDir}. Run: node deploy/local/run.mjs setup`)
  }
  const name = node.id === 1 ? 'kafka' : 'kafka2'
  const dir = join(dataDir, name)
  mkdirSync(dir, { recursive: true })
  const file = join(dir, 'server.properties')
  const lines = Object.entries({ ...serverProperties(dir, node), ...properties })
  writeFileSync(file, lines.map(([key, value]) => `${key}=${value}\n`).join(''))
  if (!existsSync(join(dir, 'logs/meta.properties'))) await format(file, users)
  return {
    ...{ name, port: node.port, command: 'java' },
    args: ['-Xms128m', '-Xmx512m', ...javaArgs, 'kafka.Kafka', file],
    logFile: join(dataDir, `${name}.log`),
    isReady: (printed) => printed.includes('Kafka Server started'),
  }
}

function serverProperties(dir: string, { id, port, controllerPort, isReplicated }: KafkaNode): Record<string, string> {
  const internal = ['offsets.topic', 'transaction.state.log', 'share.coordinator.state.topic'].flatMap((topic) => [
    [`${topic}.num.partitions`, '1'],
    [`${topic}.replication.factor`, isReplicated ? '2' : '1'],
  ])
  const isController = id === 1
  const broker = `PLAINTEXT://127.0.0.1:${port}`
  return {
    'process.roles': isController ? 'broker,controller' : 'broker',
    'node.id': String(id),
    'controller.quorum.voters': `1@127.0.0.1:${controllerPort}`,
    listeners: isController ? `${broker},CONTROLLER://127.0.0.1:${controllerPort}` : broker,
    'advertised.listeners': broker,
    'listener.security.protocol.map': 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT',
    'controller.listener.names': 'CONTROLLER',
    'inter.broker.listener.name': 'PLAINTEXT',
    'log.dirs': join(dir, 'logs'),
    'auto.create.topics.enable': 'false',
    'log.retention.ms': '-1',
    ...Object.fromEntries(internal),
    'transaction.state.log.min.isr': '1',
    'share.coordinator.state.topic.min.isr': '1',
    'group.initial.rebalance.delay.ms': '0',
    'group.min.session.timeout.ms': '1000',
    'num.network.threads': '2',
    'num.io.threads': '4',
    'background.threads': '2',
    // The default takes 128 MiB of a small heap.
    'log.cleaner.dedupe.buffer.size': '8388608',
    'log.cleaner.backoff.ms': '500',
    // A broker that was killed can come back only when its old registration has expired: 9 s by default.
    'broker.session.timeout.ms': '2000',
    'broker.heartbeat.interval.ms': '500',
  }
}

async function format(file: string, users: readonly ScramUser[]): Promise<void> {
  const scram = users.flatMap(({ mechanism, name, password }) => [
    '--add-scram',
    `${mechanism}=[name=${name},password=${password}]`,
  ])
  const args = ['-Xmx128m', ...javaArgs, 'kafka.tools.StorageTool', 'format', '-t', clusterId, '-c', file, ...scram]
  const child = spawn('java', args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let printed = ''
  child.stdout.on('data', (chunk) => (printed += chunk))
  child.stderr.on('data', (chunk) => (printed += chunk))
  const [code] = await once(child, 'close').catch((error: Error) => [error.message])
  if (code !== 0) throw new StackError('DID_NOT_START', `cannot format Kafka's directory (${code}):\n${printed}`)
}

import { mkdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { clickhouseSpec } from './clickhouse.ts'
import { freePort, isPortFree } from './free-port.ts'
import { kafkaSpec, type ScramUser } from './kafka.ts'
import { Part, type PartSpec } from './part.ts'
import { redisSpec } from './redis.ts'
import { StackError } from './stack-error.ts'

type Name = PartSpec['name']

export interface StackOptions {
  /** Everything the parts keep; made when it is not there. A stack on the same directory finds the data of the last one. */
  readonly dataDir: string
  /** Which parts to run: those that are true; when none is, all but those that are false. */
  readonly kafka?: boolean
  readonly redis?: boolean
  readonly clickhouse?: boolean
  /** Beside the first Kafka broker a second one, which keeps everything, too, that is created with a replication factor of 2. */
  readonly kafka2?: boolean
  /** A part without one gets a random free port. */
  readonly ports?: { readonly [N in Name]?: number }
  /** Over the brokers' server.properties. */
  readonly kafkaProperties?: Readonly<Record<string, string>>
  /** Of a cluster that is new. */
  readonly kafkaUsers?: readonly ScramUser[]
  readonly log?: (line: string) => void
  /** A part ended by itself. Default: a line in the log. */
  readonly onDeath?: (message: string) => void
}

const usual = ['kafka', 'redis', 'clickhouse'] as const
const portTries = 5

/** The parts of a stack that run, with their addresses. Asking for one that was not started throws. */
export class Stack {
  /** What the parts keep: each in a directory of its name. */
  readonly dataDir: string
  readonly #parts: ReadonlyMap<Name, Part>

  constructor(parts: ReadonlyMap<Name, Part>, dataDir: string) {
    this.#parts = parts
    this.dataDir = dataDir
  }

  get kafka(): Part {
    return this.#part('kafka')
  }

  get kafka2(): Part {
    return this.#part('kafka2')
  }

  get redis(): Part {
    return this.#part('redis')
  }

  get clickhouse(): Part {
    return this.#part('clickhouse')
  }

  get kafkaBrokers(): string[] {
    const second = this.#parts.get('kafka2')
    return [this.kafka, ...(second === undefined ? [] : [second])].map((each) => `127.0.0.1:${each.port}`)
  }

  get redisUrl(): string {
    return `redis://127.0.0.1:${this.redis.port}`
  }

  get clickhouseUrl(): string {
    return `http://127.0.0.1:${this.clickhouse.port}`
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#parts.values()].map((part) => part.stop()))
  }

  #part(name: Name): Part {
    const part = this.#parts.get(name)
    if (part === undefined) throw new Error(`this stack was started without ${name}`)
    return part
  }
}

/** Starts the parts side by side and resolves when all answer. When one cannot start, stops the others and throws its StackError. */
export async function startStack(options: StackOptions): Promise<Stack> {
  const dataDir = resolve(options.dataDir)
  mkdirSync(dataDir, { recursive: true })
  const chosen: Name[] = usual.some((name) => options[name])
    ? usual.filter((name) => options[name])
    : usual.filter((name) => options[name] !== false)
  const wanted: Name[] = options.kafka2 ? [...chosen, 'kafka2'] : chosen
  const controllerPort = await freePort()
  const results = await Promise.allSettled(wanted.map((name) => startPart(name, dataDir, controllerPort, options)))
  const parts = new Map<Name, Part>()
  for (const [index, result] of results.entries()) if (result.status === 'fulfilled') parts.set(wanted[index]!, result.value)
  const stack = new Stack(parts, dataDir)
  const failure = results.find((result) => result.status === 'rejected')
  if (failure === undefined) return stack
  await stack.stop()
  throw failure.reason
}

async function startPart(name: Name, dataDir: string, controllerPort: number, options: StackOptions): Promise<Part> {
  const log = options.log ?? (() => {})
  const onDeath = options.onDeath ?? log
  const fixed = options.ports?.[name]
  if (fixed !== undefined && !(await isPortFree(fixed))) {
    throw new StackError('PORT_TAKEN', `${name} cannot have port ${fixed}: another process listens there`)
  }
  for (let tries = 1; ; tries++) {
    const startedMs = performance.now()
    const part = new Part({ ...(await specOf(name, dataDir, fixed ?? (await freePort()), controllerPort, options)), onDeath })
    try {
      await part.start()
      log(`${name} is up on port ${part.port} (${((performance.now() - startedMs) / 1000).toFixed(1)} s)`)
      return part
    } catch (error) {
      const another = error instanceof StackError && error.code === 'PORT_TAKEN' && fixed === undefined && tries < portTries
      if (!another) throw error
    }
  }
}

async function specOf(
  name: Name,
  dataDir: string,
  port: number,
  controllerPort: number,
  { kafka2: isReplicated = false, kafkaProperties = {}, kafkaUsers = [] }: StackOptions,
): Promise<Omit<PartSpec, 'onDeath'>> {
  if (name === 'redis') return redisSpec(dataDir, port)
  if (name === 'clickhouse') return clickhouseSpec(dataDir, port)
  if (name === 'kafka2') return kafkaSpec(dataDir, { id: 2, port, controllerPort, isReplicated }, kafkaProperties)
  // Alone, it may have another controller's port at each try.
  const own = isReplicated ? controllerPort : await freePort()
  return kafkaSpec(dataDir, { id: 1, port, controllerPort: own, isReplicated }, kafkaProperties, kafkaUsers)
}

import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort, isPortFree } from '../../deploy/local/free-port.ts'
import { Part } from '../../deploy/local/part.ts'
import { redisSpec } from '../../deploy/local/redis.ts'
import { askRedisAt } from './redis.ts'
import { waitUntil } from './wait-until.ts'

const masters = 3
/** After so long without an answer a master is taken for dead, and its replica becomes one. */
const nodeTimeoutMs = 2000
const commandMsMax = 30_000
const keysAtOnce = 100
const readyMsMax = 30_000
/** Where the nodes talk to each other: this much above their port. */
const busDistance = 10_000

export interface ClusterNode {
  readonly part: Part
  readonly port: number
  readonly id: string
  readonly isMaster: boolean
}

/** A real Redis Cluster on this machine: three masters with the slots between them, and a replica of each. */
export class RedisCluster implements AsyncDisposable {
  readonly #parts: readonly Part[]
  readonly #dataDir: string

  private constructor(parts: readonly Part[], dataDir: string) {
    this.#parts = parts
    this.#dataDir = dataDir
  }

  /** Resolves when every slot is served and every master has its replica. */
  static async start(): Promise<RedisCluster> {
    const dataDir = mkdtempSync(join(tmpdir(), `ferry-cluster-${process.pid}-`))
    const parts: Part[] = []
    const cluster = new RedisCluster(parts, dataDir)
    try {
      for (let index = 0; index < 2 * masters; index++) parts.push(await startNode(dataDir, index))
      const addresses = parts.map(({ port }) => `127.0.0.1:${port}`)
      await cluster.cli('create', ...addresses, '--cluster-replicas', '1', '--cluster-yes')
      await cluster.waitWhole()
      return cluster
    } catch (error) {
      await cluster[Symbol.asyncDispose]()
      throw error
    }
  }

  /** Until every slot is served, and every master has a replica that could take over. */
  async waitWhole(): Promise<void> {
    await waitUntil('every slot is served', readyMsMax, async () => {
      const infos = await Promise.all(this.#parts.map(({ port }) => askRedisAt(port, (redis) => redis.cluster('INFO'))))
      const links = await Promise.all(this.#parts.map(({ port }) => askRedisAt(port, (redis) => redis.info('replication'))))
      const replicas = links.filter((info) => info.includes('master_link_status:up')).length
      return infos.every((info) => info.includes('cluster_state:ok')) && replicas === masters
    })
  }

  /** FERRY_REDIS_URL: two nodes to start from. */
  get url(): string {
    const [first, second] = this.#parts
    return `redis+cluster://127.0.0.1:${first!.port},127.0.0.1:${second!.port}`
  }

  /** As a living node sees them. */
  async nodes(): Promise<ClusterNode[]> {
    const text = await this.#ask('NODES')
    const lines = text.trim().split('\n')
    return lines.flatMap((line) => {
      const [id, address, flags] = line.split(' ')
      const port = Number(/:(\d+)@/.exec(address!)![1])
      const part = this.#parts.find((each) => each.port === port)
      return part === undefined ? [] : [{ part, port, id: id!, isMaster: flags!.includes('master') && !flags!.includes('fail') }]
    })
  }

  /** Which master serves a key's slot, and its slot. */
  async ownerOf(key: string): Promise<{ readonly master: ClusterNode; readonly slot: number }> {
    const slot = Number(await this.#ask('KEYSLOT', key))
    const text = await this.#ask('NODES')
    const line = text.split('\n').find((each) => each.includes('master') && !each.includes('fail') && serves(each, slot))
    const master = (await this.nodes()).find(({ id }) => line?.startsWith(id))
    if (master === undefined) throw new Error(`no master serves slot ${slot}:\n${text}`)
    return { master, slot }
  }

  /** The slot of a key goes to another master, with all that is in it, as a rebalancing of the cluster does it. */
  async moveSlot(key: string): Promise<void> {
    const { master: source, slot } = await this.ownerOf(key)
    const target = (await this.nodes()).find((each) => each.isMaster && each.id !== source.id)!
    await setSlot(target, slot, 'IMPORTING', source.id)
    await setSlot(source, slot, 'MIGRATING', target.id)
    for (;;) {
      const keys = await askRedisAt(source.port, (redis) => redis.cluster('GETKEYSINSLOT', slot, keysAtOnce))
      if (keys.length === 0) break
      const to = ['127.0.0.1', target.port, '', 0, commandMsMax, 'KEYS', ...(keys as string[])]
      await askRedisAt(source.port, (redis) => redis.call('MIGRATE', ...to))
    }
    for (const node of [target, source]) await setSlot(node, slot, 'NODE', target.id)
  }

  /** `redis-cli --cluster COMMAND`. */
  async cli(...args: readonly string[]): Promise<string> {
    const { stdout } = await promisify(execFile)('redis-cli', ['--cluster', ...args], { timeout: commandMsMax })
    return stdout
  }

  async #ask(...args: readonly string[]): Promise<string> {
    for (const part of this.#parts) {
      const answer = await askRedisAt(part.port, (redis) => redis.call('CLUSTER', ...args)).catch(() => undefined)
      if (answer !== undefined) return String(answer)
    }
    throw new Error('no node of the cluster answers')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#parts.map((part) => part.kill()))
    rmSync(this.#dataDir, { recursive: true, force: true })
  }
}

const setSlot = (node: ClusterNode, slot: number, state: string, id: string): Promise<unknown> =>
  askRedisAt(node.port, (redis) => redis.call('CLUSTER', 'SETSLOT', slot, state, id))

const serves = (line: string, slot: number): boolean =>
  line
    .split(' ')
    .slice(8)
    .some((range) => {
      const [first, last = first] = range.split('-').map(Number)
      return first! <= slot && slot <= last!
    })

async function startNode(dataDir: string, index: number): Promise<Part> {
  const port = await nodePort()
  const arguments_ = ['--cluster-enabled', 'yes', '--cluster-node-timeout', String(nodeTimeoutMs)]
  const part = new Part({ ...redisSpec(join(dataDir, `node-${index}`), port, arguments_), onDeath: () => {} })
  await part.start()
  return part
}

async function nodePort(): Promise<number> {
  for (let tries = 0; tries < 100; tries++) {
    const port = await freePort()
    if (port + busDistance < 65_536 && (await isPortFree(port + busDistance))) return port
  }
  throw new Error('found no two free ports for a node of a Redis Cluster')
}

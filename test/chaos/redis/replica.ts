import { freePort } from '../../../deploy/local/free-port.ts'
import { Part } from '../../../deploy/local/part.ts'
import { redisSpec } from '../../../deploy/local/redis.ts'
import type { Fleet } from '../../harness/fleet.ts'
import { Link } from '../../harness/link.ts'
import { askRedisAt } from '../../harness/redis.ts'
import { waitUntil } from '../../harness/wait-until.ts'

const syncMsMax = 20_000

/** A second Redis that follows the fleet's own, over a link that can stall: then it lags, and what it missed is lost with the first. */
export class Replica implements AsyncDisposable {
  readonly #part: Part
  readonly #link: Link

  private constructor(part: Part, link: Link) {
    this.#part = part
    this.#link = link
  }

  /** Resolves when it has all that the fleet's Redis has. */
  static async start(fleet: Fleet): Promise<Replica> {
    const source = fleet.own.redis.port
    await askRedisAt(source, (redis) => redis.config('SET', 'repl-diskless-sync-delay', '0'))
    const link = await Link.open(() => source)
    const port = await freePort()
    const follow = ['--replicaof', '127.0.0.1', String(link.port)]
    const part = new Part({ ...redisSpec(`${fleet.own.dataDir}/replica`, port, follow), onDeath: () => {} })
    const replica = new Replica(part, link)
    try {
      await part.start()
      await waitUntil('the replica is in sync', syncMsMax, async () => (await replica.#info()).includes('master_link_status:up'))
    } catch (error) {
      await replica[Symbol.asyncDispose]()
      throw error
    }
    return replica
  }

  get port(): number {
    return this.#part.port
  }

  /** From now on it hears nothing. */
  lag(): void {
    this.#link.state = 'STALL'
  }

  /** It follows nobody any more, and what was on its way to it is lost. */
  async promote(): Promise<void> {
    this.#link.state = 'REFUSE'
    await askRedisAt(this.port, (redis) => redis.call('REPLICAOF', 'NO', 'ONE'))
  }

  #info(): Promise<string> {
    return askRedisAt(this.port, (redis) => redis.info('replication'))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#part.kill()
    await this.#link[Symbol.asyncDispose]()
  }
}

import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Role } from '../../proto/gen/ferry/v1/access_pb.ts'
import type { Redis } from '../../runtime/redis.ts'
import { askRedis } from '../store/ask-redis.ts'
import type { Caller } from './caller.ts'

// A replica that hands a call to the leader says in a header who calls, and signs it with a key that only replicas have: it lies in
// Redis, and whoever can read that needs no call any more. A signed caller holds for one method and for a short time.
//
// `{base64url of JSON}.{base64url of HMAC-SHA-256}`, JSON: name, role, namespaces (null: all), actor, method, untilMs

export interface HandOverOptions {
  readonly redis: Redis
  readonly key: string
  /** So long what was signed is taken: as long as a call may be on its way, and clocks apart. */
  readonly validMs: number
  /** So old may be the key that is known. */
  readonly keyAgeMsMax: number
  readonly nowMs: () => number
}

const keyBytes = 32
const textLengthMax = 16_384

export class HandOver {
  readonly #options: HandOverOptions
  #key: Buffer | undefined
  #readMs = Number.NEGATIVE_INFINITY

  constructor(options: HandOverOptions) {
    this.#options = options
  }

  /** Throws StoreError when there is no key yet and Redis does not answer. */
  async sign(caller: Caller, method: string): Promise<string> {
    const { identity, actor } = caller
    const { validMs, nowMs, keyAgeMsMax } = this.#options
    const { name, role, namespaces } = identity
    const untilMs = nowMs() + validMs
    const claims = { name, role, namespaces: namespaces === undefined ? null : [...namespaces], actor, method, untilMs }
    const body = Buffer.from(JSON.stringify(claims)).toString('base64url')
    return `${body}.${macOf(body, await this.#readKey(keyAgeMsMax)).toString('base64url')}`
  }

  /** Undefined when it was not signed by a replica, for this method, a moment ago. */
  async verify(text: string, method: string): Promise<Caller | undefined> {
    const [body = '', mac = '', more] = text.length > textLengthMax ? [] : text.split('.')
    if (more !== undefined) return undefined
    const given = Buffer.from(mac, 'base64url')
    const isSigned = async (ageMs: number) => {
      const own = macOf(body, await this.#readKey(ageMs))
      return given.length === own.length && timingSafeEqual(given, own)
    }
    const { keyAgeMsMax, nowMs } = this.#options
    // Redis may have lost the key, and given another one since.
    if (!(await isSigned(keyAgeMsMax)) && !(await isSigned(Math.min(1000, keyAgeMsMax)))) return undefined
    const claims = JSON.parse(String(Buffer.from(body, 'base64url'))) as Claims
    if (claims.method !== method || claims.untilMs < nowMs()) return undefined
    const { name, role, namespaces, actor } = claims
    return { identity: { name, role, namespaces: namespaces === null ? undefined : new Set(namespaces) }, actor }
  }

  async #readKey(ageMsMax: number): Promise<Buffer> {
    const { redis, key, nowMs } = this.#options
    if (this.#key !== undefined && Math.abs(nowMs() - this.#readMs) < ageMsMax) return this.#key
    const fresh = (this.#key ?? randomBytes(keyBytes)).toString('base64')
    try {
      const kept = await askRedis(() => redis.set(key, fresh, 'NX', 'GET'))
      this.#key = Buffer.from(kept ?? fresh, 'base64')
      this.#readMs = nowMs()
    } catch (error) {
      if (this.#key === undefined) throw error
    }
    return this.#key!
  }
}

interface Claims {
  readonly name: string
  readonly role: Role
  readonly namespaces: readonly string[] | null
  readonly actor: string
  readonly method: string
  readonly untilMs: number
}

const macOf = (body: string, key: Buffer): Buffer => createHmac('sha256', key).update(body).digest()

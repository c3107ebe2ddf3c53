import { DecodeError } from '../../convert/decode/decode-error.ts'
import type { DecodeLimits } from '../../convert/decode/decode-limits.ts'
import { readRegistered } from '../../convert/decode/registry/read-registered.ts'
import { type RegisteredSchema, SchemaPending, type SchemaSource } from '../../convert/decode/registry/schema-source.ts'
import type { Logger } from '../../runtime/log.ts'
import { Calls } from '../../runtime/metrics/calls.ts'
import { type AskRegistry, NotFoundError, RegistryError } from './ask-registry.ts'
import { fetchSchema } from './fetch-schema.ts'

// One schema registry, for all lanes of this worker. Nobody waits in a call: find() answers what is known, or throws what is to be waited for.
//
// an id is  | find()                               | then
// unknown   | throws SchemaPending, one fetch      | KNOWN, REFUSED, or the registry is SILENT
// fetched   | throws the same SchemaPending        |
// KNOWN     | answers the schema                   | for ever, or until others were asked for oftener
// REFUSED   | throws DecodeError                   | unknown after a minute: somebody may have mended it
//
// the registry is SILENT | throws one SchemaPending for all unknown ids, until the next try: after 1 s, doubled up to 30 s

const FETCHES_MAX = 16
const REFUSED_MS = 60_000
const WAIT_MS = 1000
const WAIT_MS_MAX = 30_000

export interface SchemaRegistryOptions {
  readonly name: string
  readonly schemasMax: number
  readonly limits: DecodeLimits
  /** The first wait after a failure. */
  readonly waitMs?: number
}

type Known = { readonly schema: RegisteredSchema } | { readonly error: DecodeError; readonly untilMs: number }

export class SchemaRegistry implements SchemaSource {
  /** Why it gives no schemas; undefined while nothing has failed. */
  trouble: string | undefined
  readonly fetches = new Calls()
  readonly #ask: AskRegistry
  readonly #options: SchemaRegistryOptions
  readonly #log: Pick<Logger, 'info' | 'warn'>
  /** The one that was asked for last comes last. */
  readonly #known = new Map<number, Known>()
  readonly #fetches = new Map<number, SchemaPending>()
  #silent: SchemaPending | undefined
  /** For ids that have to wait for a fetch of another. */
  #busy: SchemaPending | undefined
  #waitMs: number

  /** ask has a deadline of its own. */
  constructor(ask: AskRegistry, options: SchemaRegistryOptions, log: Pick<Logger, 'info' | 'warn'>) {
    this.#ask = ask
    this.#options = options
    this.#log = log
    this.#waitMs = options.waitMs ?? WAIT_MS
  }

  /** Those that it has refused included. */
  get knownSchemas(): number {
    return this.#known.size
  }

  find(id: number): RegisteredSchema {
    const known = this.#known.get(id)
    if (known !== undefined) {
      this.#known.delete(id)
      if ('schema' in known || performance.now() < known.untilMs) {
        this.#known.set(id, known)
        if ('error' in known) throw known.error
        return known.schema
      }
    }
    throw this.#fetches.get(id) ?? this.#silent ?? this.#begin(id)
  }

  #begin(id: number): SchemaPending {
    if (this.#fetches.size >= FETCHES_MAX) {
      this.#busy ??= this.#pending(this.#oneSettled())
      return this.#busy
    }
    const pending = this.#pending(this.#fetch(id))
    this.#fetches.set(id, pending)
    return pending
  }

  async #oneSettled(): Promise<void> {
    await Promise.race([...this.#fetches.values()].map((each) => each.settled))
    this.#busy = undefined
  }

  #pending(settled: Promise<void>): SchemaPending {
    return new SchemaPending(settled, () => this.trouble)
  }

  async #fetch(id: number): Promise<void> {
    const startedMs = performance.now()
    try {
      const fetched = await fetchSchema(this.#ask, id)
      this.fetches.ended(startedMs, true)
      this.#remember(id, { schema: readRegistered(fetched, id, this.#options.limits) })
      this.#answered()
    } catch (error) {
      if (error instanceof RegistryError || error instanceof NotFoundError)
        this.fetches.ended(startedMs, error instanceof NotFoundError)
      if (error instanceof RegistryError) await this.#waitAfter(error)
      else this.#refuse(id, error)
    } finally {
      this.#fetches.delete(id)
    }
  }

  /** The registry has said all that it can; what is wrong is wrong for every record of the id. */
  #refuse(id: number, error: unknown): void {
    this.#answered()
    const refused =
      error instanceof DecodeError
        ? error
        : error instanceof NotFoundError
          ? new DecodeError('SCHEMA_NOT_FOUND', error.message)
          : new DecodeError('SCHEMA_UNUSABLE', `schema ${id} cannot be used: ${String(error)}`)
    this.#remember(id, { error: refused, untilMs: performance.now() + REFUSED_MS })
  }

  #remember(id: number, known: Known): void {
    if (this.#known.size >= this.#options.schemasMax) this.#known.delete(this.#known.keys().next().value!)
    this.#known.set(id, known)
  }

  #answered(): void {
    if (this.trouble !== undefined) this.#log.info({ registry: this.#options.name }, 'schemas: the registry answers again')
    this.trouble = undefined
    this.#waitMs = this.#options.waitMs ?? WAIT_MS
  }

  /** Resolves when it may be asked again. Fetches that fail together wait together. */
  async #waitAfter({ message }: RegistryError): Promise<void> {
    if (this.trouble === undefined)
      this.#log.warn({ registry: this.#options.name, problem: message }, 'schemas: the registry gives no schemas, trying again')
    this.trouble = `schema registry ${this.#options.name}: ${message}`
    this.#silent ??= this.#pending(this.#wait())
    await this.#silent.settled
  }

  async #wait(): Promise<void> {
    const waitMs = this.#waitMs
    this.#waitMs = Math.min(waitMs * 2, WAIT_MS_MAX)
    await new Promise<void>((resolve) => setTimeout(resolve, waitMs).unref())
    this.#silent = undefined
  }
}

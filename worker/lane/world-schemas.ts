import { SchemaPending, type SchemaSource } from '../../convert/decode/registry/schema-source.ts'

/** For tests: a registry that has every schema, and gives every other one only when it is told to. */
export class WorldSchemas implements SchemaSource {
  readonly #given = new Set<number>()
  readonly #asked = new Set<number>()
  #pending: SchemaPending | undefined
  #settle = (): void => {}

  readonly find = (id: number): { readonly kind: 'JSON' } => {
    if (id % 2 === 0 || this.#given.has(id)) return { kind: 'JSON' }
    this.#asked.add(id)
    this.#pending ??= new SchemaPending(
      new Promise((resolve) => {
        this.#settle = resolve
      }),
      () => undefined,
    )
    throw this.#pending
  }

  /** Whether somebody waits. */
  get isAsked(): boolean {
    return this.#pending !== undefined
  }

  /** It gives what was asked for, or nothing: then it is to be asked again. */
  answer(gives: boolean): void {
    if (gives) for (const id of this.#asked) this.#given.add(id)
    this.#asked.clear()
    this.#pending = undefined
    this.#settle()
  }
}

/** A value as serializers write it: behind the id of its schema, which is every offset's own. */
export const withSchemaId = (offset: number, value: Buffer): Buffer => {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(offset, 1)
  return Buffer.concat([head, value])
}

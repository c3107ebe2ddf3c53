import type { DescFile, Registry } from '@bufbuild/protobuf'
import type { AvroType } from '../avro/avro-type.ts'

/** A schema of a registry, read and checked. It never changes: an id has one schema for ever. */
export type RegisteredSchema =
  | { readonly kind: 'AVRO'; readonly type: AvroType }
  /** The file whose messages the indexes of a value name, and all that it needs. */
  | { readonly kind: 'PROTOBUF'; readonly file: DescFile; readonly registry: Registry }
  | { readonly kind: 'JSON' }

/** Where schemas come from. */
export interface SchemaSource {
  /** The schema of an id. Throws SchemaPending while it is not known, and DecodeError when there is none, or none that can be used. */
  readonly find: (id: number) => RegisteredSchema
}

/** The schema is not here yet. Nothing is wrong with the record: it is to be decoded again once `settled` has resolved. */
export class SchemaPending extends Error {
  override readonly name = 'SchemaPending'
  /** Resolves, and never rejects, when it is worth asking again. */
  readonly settled: Promise<void>
  /** Why the registry gives no schemas; undefined while nothing has failed. */
  readonly trouble: () => string | undefined

  constructor(settled: Promise<void>, trouble: () => string | undefined) {
    super('the schema is not here yet')
    this.settled = settled
    this.trouble = trouble
  }
}

/** What is wrong with a use case's decode. */
export type SchemaErrorCode =
  /** No format is chosen. */
  | 'FORMAT_NOT_SET'
  /** The descriptor set is not there: it must be fetched by its hash first. */
  | 'DESCRIPTOR_SET_MISSING'
  /** The descriptor set does not parse, or contradicts itself. */
  | 'DESCRIPTOR_SET_INVALID'
  /** A file of the descriptor set imports one that is not in it. */
  | 'IMPORT_MISSING'
  /** The descriptor set has no such message. */
  | 'MESSAGE_NOT_FOUND'
  /** The Avro schema is not there: it must be fetched by its hash first. */
  | 'AVRO_SCHEMA_MISSING'
  /** The Avro schema does not parse, or contradicts itself. */
  | 'AVRO_SCHEMA_INVALID'
  /** A registry has it, and Ferry does not know its type. */
  | 'SCHEMA_TYPE_UNKNOWN'
  /** A registry is meant that this process does not know. */
  | 'SCHEMA_REGISTRY_UNKNOWN'
  /** More messages, types or fields than the limit. */
  | 'SCHEMA_TOO_LARGE'

/** A decode by which no record can be read. The message says what to do. */
export class SchemaError extends Error {
  override readonly name = 'SchemaError'
  readonly code: SchemaErrorCode

  constructor(code: SchemaErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

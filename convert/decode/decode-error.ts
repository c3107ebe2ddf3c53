/** What is wrong with a record's value. */
export type DecodeErrorCode =
  /** It is not JSON. */
  | 'NOT_JSON'
  /** It is no UTF-8 text. */
  | 'NOT_TEXT'
  /** It is not the protobuf message that it should be, or has no JSON form. */
  | 'NOT_PROTOBUF'
  /** It is not what the Avro schema says, or has no JSON form. */
  | 'NOT_AVRO'
  /** It does not begin with the id of a schema. */
  | 'NO_SCHEMA_ID'
  /** The registry has no schema of its id. */
  | 'SCHEMA_NOT_FOUND'
  /** The schema of its id cannot be used. */
  | 'SCHEMA_UNUSABLE'
  /** Its levels in each other are more than the limit. */
  | 'NESTED_TOO_DEEP'
  /** Its body would be larger than the limit. */
  | 'BODY_TOO_LARGE'

/** A record whose value cannot be sent. The message says what is wrong and where, in a few hundred characters at most. */
export class DecodeError extends Error {
  override readonly name = 'DecodeError'
  readonly code: DecodeErrorCode
  /** Byte of the value at which it was noticed; undefined where no single byte is to blame. */
  readonly offset: number | undefined

  constructor(code: DecodeErrorCode, message: string, offset?: number) {
    super(message)
    this.code = code
    this.offset = offset
  }
}

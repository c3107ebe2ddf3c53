/** Limits of decoding. */
export interface DecodeLimits {
  /** Levels of arrays and objects in each other in a JSON value. Receivers' own limits begin at 64; 1 to 10,000. */
  readonly jsonDepthMax: number
  /** Levels of messages in each other in a protobuf value, its own included. Other implementations have 100; 1 to 1,000. */
  readonly messageDepthMax: number
  /** Bytes of a body, for a use case that has no limit of its own. */
  readonly bodyBytesMax: number
  /** Bytes of a descriptor set. */
  readonly schemaBytesMax: number
  /** Message types that a record's message can hold, itself included. protobuf-es goes over them by recursion: at most 1,000. */
  readonly schemaMessagesMax: number
  /** Fields and enum values of those. */
  readonly schemaFieldsMax: number
}

export const defaultDecodeLimits: DecodeLimits = {
  jsonDepthMax: 1000,
  messageDepthMax: 100,
  bodyBytesMax: 16 * 1024 * 1024,
  // What the contract allows.
  schemaBytesMax: 1024 * 1024,
  schemaMessagesMax: 1000,
  schemaFieldsMax: 20_000,
}

/** One mistake in a definition. */
export interface Violation {
  /** Path from the request's root, in the contract's names: `use_case.spec.retry.max_retries`. */
  readonly field: string
  /** The field, what would be right and what was given, in one sentence. */
  readonly description: string
  readonly reason: ViolationReason | (string & {})
}

/** What this plane checks beyond the contract's own rules. Closed: a new reason is added here. */
export type ViolationReason =
  | 'URL_INVALID'
  | 'URL_SCHEME'
  | 'URL_CREDENTIALS'
  | 'URL_FRAGMENT'
  | 'URL_BLOCKED'
  | 'HEADER_NAME'
  | 'HEADER_VALUE'
  | 'HEADER_RESERVED'
  | 'HEADER_DUPLICATE'
  | 'HEADER_SECRET'
  | 'PARAMETER_RESERVED'
  | 'SECRET_MISSING'
  | 'SECRET_UNKNOWN'
  | 'SIGNING_KEY'
  | 'RATE_LIMIT_EMPTY'
  | 'CLASS_WITHOUT_GROUP'
  | 'GROUP_LIMITS'
  | 'CLOUD_EVENTS_TEMPLATE'
  | 'PROXY_INCOMPLETE'
  | 'BATCH_OF_EVENTS'
  | 'TLS_UNUSED'
  | 'TLS_INCOMPLETE'
  | 'TLS_CERTIFICATE'
  | 'TLS_KEY'
  | 'TLS_VALIDITY'
  | 'INTERVAL_ORDER'
  | 'SCHEDULE_EXCLUSIVE'
  | 'STATUS_RANGE'
  | 'STATUS_OVERLAP'
  | 'DESCRIPTOR_SET_MISSING'
  | 'DESCRIPTOR_SET_INVALID'
  | 'DESCRIPTOR_SET_INCOMPLETE'
  | 'DESCRIPTOR_SET_UNKNOWN'
  | 'DESCRIPTOR_SET_MISMATCH'
  | 'SCHEMA_MISSING'
  | 'SCHEMA_INVALID'
  | 'SCHEMA_UNKNOWN'
  | 'SCHEMA_MISMATCH'
  | 'SCHEMA_REGISTRY_NOT_FOUND'
  | 'MESSAGE_UNKNOWN'
  | 'FILTER_INVALID'
  | 'TRANSFORM_INVALID'
  | 'CLUSTER_NOT_FOUND'
  | 'TOPIC_NOT_FOUND'
  | 'PARTITION_NOT_FOUND'
  | 'START_TIME'
  | 'IMMUTABLE_FIELD'
  | 'UPDATE_MASK_PATH'
  | 'PAUSE_UNTIL'
  | 'PAGE_TOKEN'

const textLengthMax = 80

/** A text as long as a sentence bears. */
export const shorten = (text: string): string => (text.length <= textLengthMax ? text : `${text.slice(0, textLengthMax)}...`)

/** A given text for a sentence: quoted, and short. */
export const quote = (text: string): string => JSON.stringify(shorten(text))

/** A list for a sentence, of the first few. */
export function someOf(values: readonly string[], max = 10): string {
  const rest = values.length - max
  return rest > 0 ? `${values.slice(0, max).join(', ')} and ${rest} more` : values.join(', ')
}

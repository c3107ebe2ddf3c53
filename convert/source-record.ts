/** A Kafka record, as far as it is converted. */
export interface SourceRecord {
  /** Decimal text. */
  readonly offset: string
  readonly key: Buffer | null
  readonly value: Buffer | null
  /** Unix ms, decimal text. */
  readonly timestamp: string
  readonly headers: Record<string, Buffer | string | (Buffer | string)[] | undefined>
}

/** Where a record comes from. */
export interface RecordSource {
  readonly topic: string
  readonly partition: number
}

/** Returns the JSON body of a record's value; throws an error that says what is wrong with it. */
export type Decode = (value: Buffer) => Buffer

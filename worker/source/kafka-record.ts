/** A Kafka record as it is read. Key, value and header values are slices of a whole fetch: copy what outlives its delivery. */
export interface KafkaRecord {
  /** Decimal text, as Kafka's client gives it: it goes into headers as it is. */
  readonly offset: string
  readonly key: Buffer | null
  readonly value: Buffer | null
  /** Unix ms, decimal text. */
  readonly timestamp: string
  readonly headers: Record<string, Buffer | string | (Buffer | string)[] | undefined>
}

/** What a record costs in memory beside its key and value: its objects, as measured. Small records are little else. */
export const OBJECT_BYTES = 700

/** Memory that a fetched record takes until it is let go. */
export const recordBytes = ({ key, value }: KafkaRecord): number => OBJECT_BYTES + (key?.length ?? 0) + (value?.length ?? 0)

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

/** Of key and value; headers are small beside them. */
export const recordBytes = ({ key, value }: KafkaRecord): number => (key?.length ?? 0) + (value?.length ?? 0)

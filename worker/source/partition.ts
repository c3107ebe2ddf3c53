import type { KafkaRecord } from './kafka-record.ts'

/** Offsets that are no record to deliver, and why. */
export interface Hole {
  readonly first: number
  readonly last: number
  readonly kind: 'COMPACTED' | 'TRANSACTION' | 'RETENTION'
}

/** What one fetch brought of one partition. Records are slices of it, so all of it stays in memory while one of them is held. */
export interface FetchedBytes {
  readonly bytes: number
  /** Records of it that are on their way; counted by whoever took the chunks. */
  held: number
}

/** Records one after the other without a hole between them, and the hole before the first, if there is one. */
export interface Chunk {
  readonly hole: Hole | undefined
  readonly records: readonly KafkaRecord[]
  readonly fetched: FetchedBytes
}

export interface PartitionOptions {
  readonly readCommitted: boolean
  /** So much one fetch may bring of it; a single batch that is larger comes whole. */
  readonly bytesMax: number
}

/** What a reader tells about one partition; called synchronously from its fetch loop. */
export interface PartitionSink {
  /** All offsets from the position up to, not including, `next`. endOffset: what the next appended record will get. */
  read(chunks: readonly Chunk[], next: number, endOffset: number): void
  /** The position is outside of what Kafka has. Answers where to go on, or undefined to stop reading. */
  outOfRange(position: number, earliest: number, latest: number): number | undefined
  /** The partition alone cannot be read; tried again from time to time. Undefined: it can again. */
  trouble(message: string | undefined): void
}

/** A partition that is being read, from one position on. */
export class Partition {
  readonly topic: string
  readonly partition: number
  readonly readCommitted: boolean
  readonly sink: PartitionSink
  bytesMax: number
  position: number
  paused = false
  closed = false
  leader = -1
  /** Fetches in a row that brought nothing although there is something: the next batch may be larger than what was asked for. */
  stuck = 0
  /** Was unreadable when it was asked for alone: left out of the others' fetches until it is readable again. */
  suspect = false
  /** Not asked for before, by performance.now(). */
  quarantinedUntil = 0
  /** Its sink has been told of a trouble. */
  troubled = false

  constructor(topic: string, partition: number, position: number, options: PartitionOptions, sink: PartitionSink) {
    this.topic = topic
    this.partition = partition
    this.position = position
    this.readCommitted = options.readCommitted
    this.bytesMax = options.bytesMax
    this.sink = sink
  }

  get key(): string {
    return `${this.topic}/${this.partition}`
  }

  /** Tells the sink what is wrong, or, undefined, that it is over. */
  trouble(message: string | undefined): void {
    if (message === undefined && !this.troubled) return
    this.troubled = message !== undefined
    if (!this.closed) this.sink.trouble(message)
  }
}

import type { TopicMetadata } from '../../runtime/kafka-metadata.ts'
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
  /** Remembers which topic the position belongs to; answers which one that is. Rejects when it cannot be remembered now. */
  bind(topicId: string): Promise<string>
  /** The topic was deleted, and another one has its name: nothing is read any more. */
  recreated(topicId: string): void
  /** All offsets from the position up to, not including, `next`. endOffset: what the next appended record will get. */
  read(chunks: readonly Chunk[], next: number, endOffset: number): void
  /** The position is outside of what Kafka has. Answers where to go on, or undefined to stop reading. */
  outOfRange(position: number, earliest: number, latest: number): number | undefined
  /** The partition cannot be read at present; it is tried again from time to time. Undefined: it can again. */
  trouble(message: string | undefined): void
}

/** Failures of a partition alone before its sink hears of it: a leader that moves is no trouble. */
const FAILURES_TOLD = 3
const RETRY_MS_MAX = 1000
/** So much is asked for at most while nothing whole comes. */
const STUCK_BYTES_MAX = 64 << 20
/** So often metadata has no leader for it before its sink hears of it: about two seconds. */
const MISSES_TOLD = 5
/** So often a broker says the same end, below the position: just after its start it may say a lower one than it has. */
const CUTS_BELIEVED = 3
/** What does not get better by asking again is asked for so seldom that it costs nothing. */
const BAD_RETRY_MS = 5000
/** Answers in a row that another topic has the name: a single broker may be behind. */
const STRANGE_MAX = 5

/** A partition that is being read, from one position on. */
export class Partition {
  readonly topic: string
  readonly partition: number
  readonly readCommitted: boolean
  readonly sink: PartitionSink
  /** Undefined: the sink has not said yet to which topic the position belongs. '': the brokers know no ids. */
  topicId: string | undefined
  bytesMax: number
  position: number
  /** Leader epoch of the batch before the position; -1: not known. */
  epoch = -1
  paused = false
  closed = false
  /** -1: nobody, as far as is known. */
  leader = -1
  /** Fetches in a row that brought nothing although there is something: the next batch may be larger than what was asked for. */
  stuck = 0
  /** Something about it is being asked apart from the fetches. */
  isBusy = false
  /** Not asked for before, by performance.now(). */
  notBefore = 0
  /** Metadata in a row that had no leader for it. */
  missed = 0
  #failures = 0
  #strange = 0
  #end = -1
  #cuts = 0
  #judged: TopicMetadata | undefined
  /** Its sink has been told of a trouble. */
  #isTroubled = false

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

  /** So much of it the next fetch is to bring: more and more while the next batch does not fit. */
  get bytesWanted(): number {
    const { bytesMax, stuck } = this
    return Math.min(bytesMax * 2 ** Math.min(Math.max(0, stuck - 2), 30), Math.max(bytesMax, STUCK_BYTES_MAX))
  }

  /** Tells the sink what is wrong, or, undefined, that it is over. */
  trouble(message: string | undefined): void {
    if (message === undefined && !this.#isTroubled) return
    this.#isTroubled = message !== undefined
    if (!this.closed) this.sink.trouble(message)
  }

  /** It could be asked for. */
  succeeded(): void {
    this.#failures = 0
    this.missed = 0
    this.trouble(undefined)
  }

  /** It could not, and may be any moment: nobody hears of the first times. */
  failed(message: string, nowMs: number): void {
    this.#failures++
    this.notBefore = nowMs + Math.min(50 * 2 ** this.#failures, RETRY_MS_MAX)
    if (this.#failures >= FAILURES_TOLD) this.trouble(message)
  }

  /** Metadata has no leader for it. */
  misses(message: string): void {
    if (++this.missed >= MISSES_TOLD) this.trouble(message)
  }

  /** It cannot be read where it is, and asking again will hardly change that. */
  isBad(message: string, nowMs: number): void {
    this.notBefore = nowMs + BAD_RETRY_MS
    this.trouble(message)
  }

  /** Kafka ends below the position; answers whether that is to be believed. */
  isCutAt(end: number): boolean {
    this.#cuts = end === this.#end ? this.#cuts + 1 : 1
    this.#end = end
    return this.#cuts >= CUTS_BELIEVED
  }

  /** Whether the topic of this name is the one that the position belongs to. One answer that it is not is not believed. */
  identify(found: TopicMetadata): 'SAME' | 'STRANGE' | 'RECREATED' {
    const { topicId } = found
    // Nobody knows, or a broker does not say.
    if (!this.topicId || topicId === '' || topicId === this.topicId) {
      this.#strange = 0
      return 'SAME'
    }
    if (found !== this.#judged) this.#strange++
    this.#judged = found
    return this.#strange < STRANGE_MAX ? 'STRANGE' : 'RECREATED'
  }
}

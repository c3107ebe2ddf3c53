import { type KafkaRecord, OBJECT_BYTES, recordBytes } from '../source/kafka-record.ts'
import type { Chunk, FetchedBytes, Hole } from '../source/partition.ts'

/** What has been fetched for a lane and is not in its window yet, in offset order. */
export class Intake {
  #chunks: Chunk[] = []
  #at = 0
  #holeTaken = false
  records = 0
  bytes = 0
  /** No more is read until some of it has left. */
  isFull = false

  push(chunks: readonly Chunk[]): void {
    for (const chunk of chunks) {
      this.#chunks.push(chunk)
      this.records += chunk.records.length
      for (const record of chunk.records) this.bytes += recordBytes(record)
    }
  }

  /** Keys and values alone. */
  get payloadBytes(): number {
    return this.bytes - this.records * OBJECT_BYTES
  }

  /** The hole that comes before the next record. */
  get hole(): Hole | undefined {
    return this.#holeTaken ? undefined : this.#chunks[0]?.hole
  }

  takeHole(): void {
    this.#holeTaken = true
    if (this.#chunks[0]!.records.length === 0) this.#next()
  }

  /** The next record, once the hole before it is taken. */
  get record(): KafkaRecord | undefined {
    return this.#chunks[0]?.records[this.#at]
  }

  /** The fetch that the next record is a part of. */
  get fetched(): FetchedBytes {
    return this.#chunks[0]!.fetched
  }

  shift(): void {
    const { records } = this.#chunks[0]!
    this.records--
    this.bytes -= recordBytes(records[this.#at]!)
    if (++this.#at === records.length) this.#next()
  }

  clear(): void {
    this.#chunks = []
    this.#at = 0
    this.#holeTaken = false
    this.records = 0
    this.bytes = 0
  }

  #next(): void {
    this.#chunks.shift()
    this.#at = 0
    this.#holeTaken = false
  }
}

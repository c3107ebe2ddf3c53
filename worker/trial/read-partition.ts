import type { Cluster } from '../../runtime/kafka.ts'
import { kafkaErrorName, kafkaErrors } from '../../runtime/kafka-error-codes.ts'
import { fetchPartitions } from '../source/fetch.ts'
import { type KafkaRecord, recordBytes } from '../source/kafka-record.ts'
import { Partition } from '../source/partition.ts'
import { readBatches } from '../source/record-batch.ts'
import { takeResponse } from '../source/take-response.ts'
import { TrialError } from './trial-error.ts'

const FETCH_BYTES = 1 << 20
const FETCH_WAIT_MS = 100

/** A partition and who leads it. */
export interface PlacedPartition {
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  readonly leader: number
}

export interface ReadLimits {
  /** Not included. */
  readonly endOffset: number
  readonly recordsMax: number
  /** Of all records together, with what they cost in memory; one is kept always. */
  readonly bytesMax: number
  /** Which ones are kept when there are more. */
  readonly keeps: 'FIRST' | 'LAST'
  readonly readCommitted: boolean
  readonly signal: AbortSignal
}

/** The records from an offset on, as a lane would be given them. Rejects with a TrialError that says why they cannot be read. */
export async function readPartition(
  cluster: Cluster,
  { topic, topicId, partition: id, leader }: PlacedPartition,
  fromOffset: number,
  { endOffset, readCommitted, signal, ...limits }: ReadLimits,
): Promise<Found> {
  const found = new Found(endOffset, limits)
  const partition = new Partition(topic, id, fromOffset, { readCommitted, bytesMax: FETCH_BYTES }, sinkOf(found))
  // Where nothing comes, what is asked for grows (bytesWanted), until a batch fits.
  for (let idle = 0; partition.position < endOffset && !found.isFull && idle < 10; ) {
    signal.throwIfAborted()
    const broker = await cluster.findBroker({ nodeId: String(leader) })
    const { position: offset, bytesWanted: bytesMax } = partition
    const target = { topic, topicId, partition: id, offset, epoch: -1, bytesMax }
    const [answer] = await fetchPartitions(broker, [target], { waitMs: FETCH_WAIT_MS, bytesMax, readCommitted })
    const errorCode = answer?.fetched.errorCode ?? 0
    if (errorCode === kafkaErrors.OFFSET_OUT_OF_RANGE)
      throw new TrialError(`Kafka has no offset ${offset} of ${topic}/${id}: retention has removed it, or it is not written yet`)
    if (answer === undefined || errorCode !== 0)
      throw new TrialError(`Kafka cannot read ${topic}/${id} at offset ${offset}: ${kafkaErrorName(errorCode)}`)
    const batches = await readBatches(answer.fetched.bytes)
    if (!takeResponse(partition, answer.fetched, batches)) idle++
    if (batches.bad !== undefined && partition.position === offset)
      throw new TrialError(`the batch at offset ${offset} of ${topic}/${id} cannot be read: ${batches.bad.reason}`)
  }
  return found
}

/** Records, so many and so large at most. */
export class Found {
  readonly records: KafkaRecord[] = []
  /** Nothing more is taken. */
  isFull = false
  /** Some are left out because they are too large together. */
  isCut = false
  readonly #endOffset: number
  readonly #limits: Pick<ReadLimits, 'recordsMax' | 'bytesMax' | 'keeps'>
  #bytes = 0

  constructor(endOffset: number, limits: Pick<ReadLimits, 'recordsMax' | 'bytesMax' | 'keeps'>) {
    this.#endOffset = endOffset
    this.#limits = limits
  }

  add(record: KafkaRecord): void {
    const { recordsMax, bytesMax, keeps } = this.#limits
    const { records } = this
    if (this.isFull || Number(record.offset) >= this.#endOffset) return
    const bytes = this.#bytes + recordBytes(record)
    if (keeps === 'FIRST' && records.length > 0 && bytes > bytesMax) {
      this.isFull = this.isCut = true
      return
    }
    this.#bytes = bytes
    records.push(record)
    if (keeps === 'FIRST') this.isFull = records.length >= recordsMax
    while (records.length > recordsMax || (records.length > 1 && this.#bytes > bytesMax)) {
      this.isCut ||= records.length <= recordsMax
      this.#bytes -= recordBytes(records.shift()!)
    }
  }
}

const sinkOf = (found: Found) => ({
  bind: async (topicId: string) => topicId,
  recreated: () => {},
  read: (chunks: readonly { readonly records: readonly KafkaRecord[] }[]) => {
    for (const chunk of chunks) for (const record of chunk.records) found.add(record)
  },
  outOfRange: () => undefined,
  trouble: () => {},
})

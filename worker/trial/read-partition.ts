import type { Cluster } from '../../runtime/kafka.ts'
import { kafkaErrorName, kafkaErrors } from '../../runtime/kafka-error-codes.ts'
import { fetchPartitions } from '../source/fetch.ts'
import type { KafkaRecord } from '../source/kafka-record.ts'
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
  readonly readCommitted: boolean
  readonly signal: AbortSignal
}

/** The records from an offset on, as a lane would be given them. Rejects with a TrialError that says why they cannot be read. */
export async function readPartition(
  cluster: Cluster,
  { topic, topicId, partition: id, leader }: PlacedPartition,
  fromOffset: number,
  { endOffset, recordsMax, readCommitted, signal }: ReadLimits,
): Promise<KafkaRecord[]> {
  const records: KafkaRecord[] = []
  const partition = new Partition(topic, id, fromOffset, { readCommitted, bytesMax: FETCH_BYTES }, collector(records))
  // Where nothing comes, what is asked for grows (bytesWanted), until a batch fits.
  for (let idle = 0; partition.position < endOffset && records.length < recordsMax && idle < 10; ) {
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
  return records.filter(({ offset }) => Number(offset) < endOffset).slice(0, recordsMax)
}

const collector = (records: KafkaRecord[]) => ({
  bind: async (topicId: string) => topicId,
  recreated: () => {},
  read: (chunks: readonly { readonly records: readonly KafkaRecord[] }[]) => {
    for (const chunk of chunks) records.push(...chunk.records)
  },
  outOfRange: () => undefined,
  trouble: () => {},
})

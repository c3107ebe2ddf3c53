// Process of its own: a consumer by somebody who knows what costs. Whole batches, many requests at once, undici's own client, one
// commit for each batch; no order within a partition.
import kafkajs, { type EachBatchPayload } from 'kafkajs'
import { Pool } from 'undici'
import { bodyMaker } from '../body-maker.ts'
import { partitions } from '../records.ts'
import { type ConsumerOptions, readPeerOptions } from './peer-options.ts'

const { url, payload, inFlight, brokers, topic, group } = readPeerOptions<ConsumerOptions>()
const { origin, pathname: path } = new URL(url)
const { pass } = bodyMaker(payload)
const headers = { 'content-type': 'application/json' }
const batchesAtOnce = Math.min(partitions, inFlight)
const requestsPerBatch = Math.floor(inFlight / batchesAtOnce)
const recordsPerHeartbeat = 1_024
const pool = new Pool(origin, { connections: inFlight })
const kafka = new kafkajs.Kafka({ clientId: 'tuned', brokers: [...brokers], logLevel: kafkajs.logLevel.ERROR })
const consumer = kafka.consumer({ groupId: group })

async function post(value: Buffer): Promise<void> {
  const { statusCode, body } = await pool.request({ path, method: 'POST', headers, body: pass(value) })
  await body.dump()
  if (statusCode >= 300) throw new Error(`status ${statusCode}`)
}

async function deliverBatch({ batch, resolveOffset, heartbeat, commitOffsetsIfNecessary }: EachBatchPayload): Promise<void> {
  const { messages, partition } = batch
  let next = 0
  const deliverSome = async (): Promise<void> => {
    while (next < messages.length) {
      const at = next++
      await post(messages[at]!.value!)
      if (at % recordsPerHeartbeat === 0) await heartbeat()
    }
  }
  await Promise.all(Array.from({ length: requestsPerBatch }, deliverSome))
  resolveOffset(batch.lastOffset())
  const offset = String(BigInt(batch.lastOffset()) + 1n)
  await commitOffsetsIfNecessary({ topics: [{ topic: batch.topic, partitions: [{ partition, offset }] }] })
}

await consumer.connect()
await consumer.subscribe({ topic, fromBeginning: true })
process.once('SIGTERM', () => void consumer.disconnect().then(() => process.exit(0)))
await consumer.run({ partitionsConsumedConcurrently: batchesAtOnce, eachBatchAutoResolve: false, eachBatch: deliverBatch })

// Process of its own: the consumer that most teams write. One record after the other in each partition, an object between, fetch.
import kafkajs from 'kafkajs'
import { bodyMaker } from '../body-maker.ts'
import { partitions } from '../records.ts'
import { type ConsumerOptions, readPeerOptions } from './peer-options.ts'

const { url, payload, inFlight, brokers, topic, group } = readPeerOptions<ConsumerOptions>()
const { rewrite } = bodyMaker(payload)
const kafka = new kafkajs.Kafka({ clientId: 'naive', brokers: [...brokers], logLevel: kafkajs.logLevel.ERROR })
const consumer = kafka.consumer({ groupId: group })

await consumer.connect()
await consumer.subscribe({ topic, fromBeginning: true })
process.once('SIGTERM', () => void consumer.disconnect().then(() => process.exit(0)))
await consumer.run({
  partitionsConsumedConcurrently: Math.min(partitions, inFlight),
  eachMessage: async ({ message }) => {
    const answer = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: rewrite(message.value!),
    })
    if (!answer.ok) throw new Error(`status ${answer.status}`)
    await answer.arrayBuffer()
  },
})

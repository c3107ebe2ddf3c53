// `npm run produce -- TOPIC [PARTITIONS]`: publishes each line of standard input, `key<TAB>value` or `value`, for trying Ferry out
// without Kafka's own tools. Creates the topic when it does not exist.
import { createInterface } from 'node:readline'
import kafkajs from 'kafkajs'
import { readConfig } from '../../../runtime/config.ts'
import { connectionSettings } from '../../../runtime/settings.ts'
import { createTopic } from '../create-topic.ts'

process.removeAllListeners('warning') // kafkajs asks for timers in the past
const [topic, partitions = '8'] = process.argv.slice(2)
if (topic === undefined || !/^[\w.-]+$/.test(topic) || !/^[1-9]\d{0,3}$/.test(partitions)) {
  process.stderr.write('usage: npm run produce -- TOPIC [PARTITIONS] < lines   (a line is key<TAB>value, or value)\n')
  process.exit(2)
}
const { kafkaBrokers } = readConfig({ kafkaBrokers: connectionSettings.kafkaBrokers }, process.env)
const kafka = new kafkajs.Kafka({ clientId: 'ferry-produce', brokers: [...kafkaBrokers], logLevel: kafkajs.logLevel.NOTHING })
const admin = kafka.admin()
const producer = kafka.producer({ createPartitioner: kafkajs.Partitioners.DefaultPartitioner })
try {
  await Promise.all([admin.connect(), producer.connect()])
  const created = await createTopic(admin, { topic, numPartitions: Number(partitions) })
  if (created) process.stderr.write(`created topic ${topic} with ${partitions} partitions\n`)
  let count = 0
  let batch: { key: string | null; value: string }[] = []
  const send = async (): Promise<void> => {
    if (batch.length > 0) await producer.send({ topic, messages: batch })
    count += batch.length
    batch = []
  }
  for await (const line of createInterface({ input: process.stdin })) {
    const tab = line.indexOf('\t')
    if (line !== '') batch.push(tab < 0 ? { key: null, value: line } : { key: line.slice(0, tab), value: line.slice(tab + 1) })
    if (batch.length >= 1000) await send()
  }
  await send()
  process.stderr.write(`published ${count} records to ${topic}\n`)
} catch (error) {
  process.stderr.write(`cannot publish to ${kafkaBrokers.join(',')}: ${error instanceof Error ? error.message : String(error)}\n`)
  process.exitCode = 1
} finally {
  await Promise.allSettled([admin.disconnect(), producer.disconnect()])
}

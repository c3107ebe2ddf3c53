import { once } from 'node:events'
import { connect } from 'node:net'

const answerMsMax = 30_000
const produce = 0
const version = 7

const int16 = (value: number): Buffer => {
  const bytes = Buffer.alloc(2)
  bytes.writeInt16BE(value)
  return bytes
}
const int32 = (value: number): Buffer => {
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(value)
  return bytes
}
const text = (value: string): Buffer => Buffer.concat([int16(value.length), Buffer.from(value)])

/** Hands a record batch to the broker as it is: the tests' own client takes minutes to put a very large one together. */
export async function produceBatch(broker: string, topic: string, partition: number, batch: Buffer): Promise<void> {
  const records = Buffer.concat([int32(1), int32(partition), int32(batch.length), batch])
  const body = Buffer.concat([int16(-1), int16(-1), int32(answerMsMax), int32(1), text(topic), records])
  const request = Buffer.concat([int16(produce), int16(version), int32(1), text('test'), body])
  const [host, port] = broker.split(':') as [string, string]
  const socket = connect({ host, port: Number(port) })
  try {
    socket.write(Buffer.concat([int32(request.length), request]))
    let answer = Buffer.alloc(0)
    const signal = AbortSignal.timeout(answerMsMax)
    while (answer.length < 4 || answer.length < 4 + answer.readInt32BE(0)) {
      const [chunk] = (await once(socket, 'data', { signal })) as [Buffer]
      answer = Buffer.concat([answer, chunk])
    }
    // Length, correlation id, one topic, its name, one partition, its number: then the error code.
    const errorCode = answer.readInt16BE(4 + 4 + 4 + 2 + topic.length + 4 + 4)
    if (errorCode !== 0) throw new Error(`Kafka refuses the batch with error ${errorCode}`)
  } finally {
    socket.destroy()
  }
}

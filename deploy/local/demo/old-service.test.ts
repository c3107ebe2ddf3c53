import { randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createFileRegistry, fromBinary, toJsonString } from '@bufbuild/protobuf'
import { FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { connectKafka } from '../../../runtime/kafka.ts'
import { createLog } from '../../../runtime/log.ts'
import type { StackAddresses } from '../../../test/global-setup.ts'
import { sharedStack } from '../../../test/stack.ts'
import { buildDescriptorSet, flightEncoder, flightMessageName } from './flight-message.ts'
import { readFlight } from './flight-request.ts'
import { openFlightTable, summarizeTable, upsertFlight } from './flight-table.ts'
import { OldService } from './old-service.ts'
import { readPublicTable } from './public-table.ts'

const rows = 5_000
const partitions = 8
const dir = mkdtempSync(join(tmpdir(), 'ferry-demo-'))
const topic = `demo-${randomBytes(4).toString('hex')}`
const descriptorSet = buildDescriptorSet()

let stack: StackAddresses
let service: OldService

beforeAll(async () => {
  stack = await sharedStack()
  service = new OldService(join(dir, 'old.sqlite'), stack.kafkaBrokers, topic)
  await service.fill(readPublicTable(stack.clickhouseUrl, rows))
  await service.createTopic(partitions)
})
afterAll(() => {
  service.close()
  rmSync(dir, { recursive: true, force: true })
})

test('the public table is the same at every reading, and its rows have ids of their own', async () => {
  const database = openFlightTable(join(dir, 'again.sqlite'))
  const upsert = upsertFlight(database)
  for await (const flight of readPublicTable(stack.clickhouseUrl, rows)) expect(upsert(flight)).toBe(true)
  database.close()
  const summary = summarizeTable(service.file)
  expect(summary.rows).toBe(rows)
  expect(summarizeTable(join(dir, 'again.sqlite'))).toEqual(summary)
})

test('every row is published once, keyed by its id, and a table rebuilt from the topic is equal', async () => {
  await service.publish(flightEncoder(descriptorSet))
  expect(service.published).toBe(rows)
  const schema = createFileRegistry(fromBinary(FileDescriptorSetSchema, descriptorSet)).getMessage(flightMessageName)!
  const database = openFlightTable(join(dir, 'rebuilt.sqlite'))
  const upsert = upsertFlight(database)
  const seen = { records: 0, partitions: new Set<number>() }
  const consumer = connectKafka(
    { name: 'default', brokers: stack.kafkaBrokers },
    'test',
    30_000,
    createLog('demo', 'silent'),
  ).kafka.consumer({ groupId: topic })
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    eachMessage: async ({ partition, message }) => {
      const flight = readFlight(toJsonString(schema, fromBinary(schema, message.value!)))!
      expect(String(message.key)).toBe(String(flight.id))
      expect(upsert(flight)).toBe(true)
      seen.records++
      seen.partitions.add(partition)
    },
  })
  await vi.waitFor(() => expect(seen.records).toBe(rows), { timeout: 30_000 })
  await consumer.disconnect()
  database.close()
  expect(seen.partitions.size).toBe(partitions)
  expect(summarizeTable(join(dir, 'rebuilt.sqlite'))).toEqual(summarizeTable(service.file))
})

test('a topic that is there already is not published to', async () => {
  await expect(service.createTopic(partitions)).rejects.toThrow(`${topic} is there already`)
})

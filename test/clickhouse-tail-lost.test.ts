import { rmSync } from 'node:fs'
import { expect, test } from 'vitest'
import { certificate, countNow } from './harness/certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { Fleet } from './harness/fleet.ts'
import { jsonRecords, Topic } from './harness/topic.ts'
import { registerUseCase, specOf, waitForLanes } from './harness/use-case.ts'
import { waitUntil } from './harness/wait-until.ts'

interface Part {
  readonly name: string
  readonly path: string
}

test('when ClickHouse comes back without its last inserts, the certificate shows which records have lost their outcome', async () => {
  await using fleet = await Fleet.start({ ownClickhouse: true, workers: 1 })
  await using endpoint = await Endpoint.start(() => ({ delayMs: 2 }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint))
  await waitForLanes(fleet, useCase, topic.partitions)
  await fleet.sql.run('SYSTEM STOP MERGES')
  await topic.publish(jsonRecords(500))
  await certificate(fleet, useCase, 30_000)
  const newest = `FROM system.parts WHERE active AND database = currentDatabase() AND table = 'outcomes'
    ORDER BY modification_time DESC, min_block_number DESC LIMIT 1`
  const before = (await fleet.sql.rows<Part>(`SELECT name, path ${newest}`))[0]!
  await topic.publish(jsonRecords(100, { from: 500 }))
  await certificate(fleet, useCase, 30_000)
  const tail = (await fleet.sql.rows<Part>(`SELECT name, path ${newest}`))[0]!
  expect(tail.name).not.toBe(before.name)
  const lost = await fleet.sql.rows<{ offset: number }>(
    `SELECT offset FROM outcomes WHERE _part = '${tail.name}' ORDER BY offset`,
  )
  await fleet.own.clickhouse.kill()
  rmSync(tail.path, { recursive: true })
  await fleet.own.clickhouse.start()
  const counts = await waitUntil('VerifyRange answers', 30_000, () => countNow(fleet, useCase))
  expect(lost.length).toBeGreaterThan(0)
  expect(counts).toMatchObject({ published: 600, delivered: 600 - lost.length, missing: lost.length, complete: false })
  const { partitions } = await fleet.client.deliveries.verifyRange({ useCase: useCase.name })
  const runs = partitions[0]!.missing.flatMap(({ firstOffset, lastOffset }) =>
    Array.from({ length: Number(lastOffset - firstOffset) + 1 }, (_, at) => Number(firstOffset) + at),
  )
  expect(runs).toEqual(lost.map(({ offset }) => offset))
}, 90_000)

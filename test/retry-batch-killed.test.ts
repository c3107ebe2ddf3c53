import type { MessageInitShape } from '@bufbuild/protobuf'
import { expect, test } from 'vitest'
import type { RetryBatchSchema } from '../proto/gen/ferry/v1/retry_batch_pb.ts'
import { GiveUp } from '../proto/gen/ferry/v1/use_case_pb.ts'
import type { Counts } from './harness/certificate.ts'
import { certificate } from './harness/certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { Fleet, shortLease } from './harness/fleet.ts'
import { type Judgement, judge } from './harness/judge.ts'
import { createBatch, waitForBatch } from './harness/retry-batch.ts'
import { jsonRecords, Topic } from './harness/topic.ts'
import { registerUseCase, specOf } from './harness/use-case.ts'
import { waitUntil } from './harness/wait-until.ts'

const failed = 600

interface Result {
  readonly counts: Counts
  readonly judged: Judgement
  /** Requests of the batch's round, by record. */
  readonly sent: ReadonlyMap<string, number>
}

/** 600 deliveries have FAILED and are opened again by one batch; when a quarter of it is delivered, `fault` strikes. */
async function retryWith(
  fleet: Fleet,
  fault: (batch: string) => Promise<void>,
  more: MessageInitShape<typeof RetryBatchSchema> = {},
): Promise<Result> {
  let isFixed = false
  await using endpoint = await Endpoint.start(() => (isFixed ? { delayMs: 10 } : { status: 422 }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
  await topic.publish(jsonRecords(failed).map((each, index) => ({ ...each, partition: index % 2 })))
  const delivery = { maxInFlight: 8 }
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { delivery, retry: { giveUp: GiveUp.UNFUNDED } }))
  expect(await certificate(fleet, useCase, 30_000)).toMatchObject({ published: failed, delivered: 0, failed, missing: 0 })
  isFixed = true
  const { name } = await createBatch(fleet, useCase, more)
  await waitUntil('a quarter of it is delivered', 40_000, () => endpoint.successes > failed / 4)
  await fault(name)
  const done = await waitForBatch(fleet, name, 60_000)
  expect(done).toMatchObject({ selected: BigInt(failed), delivered: BigInt(failed), failedAgain: 0n, superseded: 0n })
  const counts = await certificate(fleet, useCase, 30_000)
  expect(counts).toMatchObject({ published: failed, delivered: failed, failed: 0, missing: 0, onTheWay: 0 })
  const sent = new Map<string, number>()
  for (const { partition, offset, round } of endpoint.requests) {
    const record = `${partition}/${offset}`
    if (round > 0) sent.set(record, (sent.get(record) ?? 0) + 1)
  }
  return { counts, judged: await judge(fleet, useCase, topic, endpoint, { crashed: true }), sent }
}

test('a worker killed in the middle of a retry batch: each item once more, but what was on its way', async () => {
  await using fleet = await Fleet.start({ workers: 2, workerEnv: shortLease })
  const { judged, sent } = await retryWith(fleet, async () => fleet.workers[0]!.kill('SIGKILL'))
  expect(judged.problems).toEqual([])
  expect(sent.size).toBe(failed)
  // Nothing that the log had as delivered was sent again.
  expect(judged.repeatsOfLogged).toBe(0)
  expect(judged.repeats).toBeLessThanOrEqual(judged.lostRows)
}, 120_000)

async function restart(fleet: Fleet): Promise<void> {
  const [controlPlane] = fleet.controlPlanes
  controlPlane!.kill('SIGKILL')
  await controlPlane!.waitExit(5000)
  await fleet.startControlPlane(controlPlane!.ports)
}

function expectEachOnce({ counts, judged, sent }: Result): void {
  expect(judged.problems).toEqual([])
  expect(sent.size).toBe(failed)
  expect([...sent.values()].every((times) => times === 1)).toBe(true)
  expect(judged).toMatchObject({ repeats: 0, lostRows: 0, requests: failed * 2 })
  expect(counts).toMatchObject({ repeated: 0, attempts: failed * 2 })
}

test('a control plane killed in the middle of handing a retry batch over: each item once more, none twice', async () => {
  // So few at a time that it is in the middle when a quarter is delivered.
  await using fleet = await Fleet.start({ workers: 2, controlPlaneEnv: { FERRY_INBOX_MAX: '60' } })
  expectEachOnce(await retryWith(fleet, () => restart(fleet)))
}, 120_000)

test('a control plane killed while a batch goes by its pace, and right after a pause and a resume: none twice', async () => {
  await using fleet = await Fleet.start({ workers: 2 })
  const { retryBatches } = fleet.client
  const fault = async (name: string): Promise<void> => {
    await restart(fleet)
    await waitUntil('it is paused', 20_000, () => retryBatches.pauseRetryBatch({ name }).then(Boolean, () => false))
    await restart(fleet)
    await waitUntil('it goes on', 20_000, () => retryBatches.resumeRetryBatch({ name }).then(Boolean, () => false))
    await restart(fleet)
  }
  expectEachOnce(await retryWith(fleet, fault, { recordsPerSecond: 150 }))
}, 120_000)

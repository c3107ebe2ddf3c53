import { createHash, createPublicKey, generateKeyPairSync, verify } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { durationFromMs, timestampFromMs } from '@bufbuild/protobuf/wkt'
import { afterAll, expect, test } from 'vitest'
import { silentLog } from '../control-plane/fleet/test-fleet.ts'
import { ReconciliationFinding } from '../proto/gen/ferry/v1/reconciliation_pb.ts'
import { GiveUp, type UseCase } from '../proto/gen/ferry/v1/use_case_pb.ts'
import { HoleKind, IncompleteReason, VerificationWarning } from '../proto/gen/ferry/v1/verification_pb.ts'
import { VerificationState } from '../proto/gen/ferry/v1/verification_service_pb.ts'
import { laneKeys } from '../runtime/lane-keys.ts'
import { connectRedis } from '../runtime/redis.ts'
import { certificate } from './harness/certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { fleetOfFile } from './harness/fleet.ts'
import { readTopic } from './harness/read-topic.ts'
import { jsonRecords, Topic } from './harness/topic.ts'
import { registerUseCase, specOf, waitForPause } from './harness/use-case.ts'
import { waitUntil } from './harness/wait-until.ts'

const directory = mkdtempSync(join(tmpdir(), 'ferry-test-'))
afterAll(() => rmSync(directory, { recursive: true }))
const keyFile = join(directory, 'certificate-key.pem')
writeFileSync(keyFile, generateKeyPairSync('ed25519').privateKey.export({ format: 'pem', type: 'pkcs8' }))

const fleetOf = fleetOfFile({ workers: 1, controlPlaneEnv: { FERRY_CERTIFICATE_KEY_FILE: keyFile } })
const settleMsMax = 30_000

const verifyRange = ({ name }: UseCase, more: { fromMs?: number; toMs?: number } = {}) =>
  fleetOf().client.deliveries.verifyRange({
    useCase: name,
    ...(more.fromMs !== undefined && { fromTime: timestampFromMs(more.fromMs) }),
    ...(more.toMs !== undefined && { toTime: timestampFromMs(more.toMs) }),
  })

const runsOf = (runs: readonly { firstOffset: bigint; lastOffset: bigint }[]) =>
  runs.map(({ firstOffset, lastOffset }) => [Number(firstOffset), Number(lastOffset)])

/** A verification, counted; its document is what was signed. */
async function certified({ name: useCase }: UseCase) {
  const { verifications } = fleetOf().client
  const { verification } = await verifications.createVerification({ useCase })
  const done = await waitUntil('the verification is counted', settleMsMax, async () => {
    const { verification: now } = await verifications.getVerification({ name: verification!.name })
    return now!.state === VerificationState.DONE && now
  })
  const { keys } = await verifications.listCertificateKeys({})
  const { document, signature, keyId } = done.certificate!
  const key = keys.find((each) => each.keyId === keyId)!
  const holds = verify(null, Buffer.from(document), createPublicKey(key.publicKey), signature)
  return { holds, document: JSON.parse(document) as { readonly topicId: string }, result: done.result! }
}

test.concurrent('rows that are deleted from the log are missing, told as runs, and the signed certificate says so', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
  await topic.publish(jsonRecords(200).map((record, at) => ({ ...record, partition: at % 2 })))
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint))
  await certificate(fleet, useCase, settleMsMax)
  const whole = await certified(useCase)
  expect(whole).toMatchObject({
    holds: true,
    document: { complete: true, topicId: expect.any(String), total: { delivered: 200, missing: 0 } },
  })
  const of = `uid = '${useCase.uid}' AND partition = 1 AND (offset IN (7, 8, 9) OR offset = 60)`
  await fleet.sql.run(`DELETE FROM outcomes WHERE ${of} SETTINGS lightweight_deletes_sync = 2`)
  // On a busy machine others' rows may wait in the spool, and while some do nothing can be called missing.
  const { complete, incompleteReasons, total, partitions } = await waitUntil('the spool is drained', settleMsMax, async () => {
    const answer = await verifyRange(useCase)
    return answer.spooledInserts === 0n && answer
  })
  expect([complete, incompleteReasons]).toEqual([false, [IncompleteReason.MISSING]])
  expect(total).toMatchObject({ published: 200n, delivered: 196n, missing: 4n, onTheWay: 0n })
  expect(partitions.map(({ missing }) => runsOf(missing))).toEqual([
    [],
    [
      [7, 9],
      [60, 60],
    ],
  ])
  const { holds, document, result } = await certified(useCase)
  expect(holds).toBe(true)
  expect(document).toMatchObject({
    ...{ useCase: { name: useCase.name, uid: useCase.uid, revision: 1 }, cluster: 'default', topic: topic.name },
    ...{ topicId: result.topicId, complete: false, incompleteReasons: ['MISSING'], total: { delivered: 196, missing: 4 } },
  })
  expect(document.topicId).not.toBe('')
})

test.concurrent('a floor that was pushed forward by hand hides nothing, also when the lane has gone on from there', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  await topic.publish(jsonRecords(50))
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint))
  await certificate(fleet, useCase, settleMsMax)
  await fleet.client.useCases.pauseUseCase({ name: useCase.name, reason: 'to plant a loss' })
  await waitForPause(fleet, useCase)
  await topic.publish(jsonRecords(30, { from: 50 }))
  expect((await verifyRange(useCase)).incompleteReasons).toEqual([IncompleteReason.ON_THE_WAY])
  const redis = connectRedis(fleet.stack.redisUrl, 5000, silentLog)
  const lane = { uid: useCase.uid, cluster: 'default', topic: topic.name, partition: 0 }
  await redis.hset(laneKeys(lane).lane, 'cursor', 70)
  redis.disconnect()
  const paused = await verifyRange(useCase)
  expect(paused.incompleteReasons).toEqual([IncompleteReason.MISSING, IncompleteReason.ON_THE_WAY])
  expect(runsOf(paused.partitions[0]!.missing)).toEqual([[50, 69]])
  await fleet.client.useCases.resumeUseCase({ name: useCase.name })
  await waitUntil('the rest is delivered', settleMsMax, () => endpoint.requests.length >= 60)
  const resumed = await waitUntil('nothing is on the way', settleMsMax, async () => {
    const answer = await verifyRange(useCase)
    return answer.total!.onTheWay === 0n && answer
  })
  expect(resumed).toMatchObject({ complete: false, total: { delivered: 60n, missing: 20n } })
})

test.concurrent('what compaction has removed is no loss', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start()
  const settings = { 'cleanup.policy': 'compact', 'segment.ms': '100', 'min.cleanable.dirty.ratio': '0.001' }
  const configEntries = Object.entries(settings).map(([name, value]) => ({ name, value }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1, { configEntries })
  let published = 0
  await waitUntil('compaction has removed records', settleMsMax, async () => {
    await topic.publish(jsonRecords(50, { keys: 50, from: published }))
    published += 50
    return published > 150 && (await readTopic(topic)).length < published
  })
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint))
  await certificate(fleet, useCase, settleMsMax)
  const { complete, total, warnings } = await verifyRange(useCase)
  expect([complete, total!.missing, total!.offsets, warnings]).toEqual([true, 0n, BigInt(published), []])
  expect(total!.holeCounts).toMatchObject([{ kind: HoleKind.COMPACTED, count: total!.holes }])
  expect(Number(total!.holes)).toBeGreaterThan(0)
})

test.concurrent('markers and aborted records of transactions are no loss, and a producer has not counted them either', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  const committed = jsonRecords(25, { keys: 7 })
  await topic.publishTransaction(committed.slice(0, 20), 'commit')
  await topic.publishTransaction(jsonRecords(10), 'abort')
  await topic.publish(committed.slice(20))
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint))
  await certificate(fleet, useCase, settleMsMax)
  const { complete, total, warnings } = await verifyRange(useCase)
  expect([complete, warnings]).toEqual([true, []])
  expect(total).toMatchObject({ offsets: 37n, published: 25n, delivered: 25n, missing: 0n })
  expect(total!.holeCounts).toMatchObject([{ kind: HoleKind.TRANSACTION, count: 12n }])
  const ofKeys = (keys: readonly string[]): bigint =>
    keys.reduce((sum, key) => BigInt.asUintN(64, sum + createHash('sha256').update(key).digest().readBigUInt64BE()), 0n)
  const keys = committed.map(({ key }) => String(key))
  const { verifications } = fleet.client
  await verifications.reportExpectedRecords({
    useCase: useCase.name,
    windows: [
      { windowId: 'as-it-is', count: 25n, keyChecksum: ofKeys(keys) },
      { windowId: 'one-more', count: 26n, keyChecksum: ofKeys(keys) },
      { windowId: 'other-keys', count: 25n, keyChecksum: ofKeys([...keys.slice(1), 'other']) },
    ],
  })
  const { reconciliations } = await verifications.reconcileRecords({ useCase: useCase.name })
  expect(reconciliations.map(({ expected, matches, findings }) => [expected!.windowId, matches, findings])).toEqual([
    ['as-it-is', true, []],
    ['one-more', false, [ReconciliationFinding.COUNT_DIFFERS]],
    ['other-keys', false, [ReconciliationFinding.KEYS_DIFFER]],
  ])
})

test.concurrent('what Kafka deletes is no loss: delivered or not, and asked for by time or by offset', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start()
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  const startMs = Date.now() - 3_600_000
  const at = (count: number, from: number) =>
    jsonRecords(count, { from }).map((record, index) => ({ ...record, timestampMs: startMs + (from + index) * 1000 }))
  await topic.publish(at(100, 0))
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint))
  await certificate(fleet, useCase, settleMsMax)
  await topic.forgetBelow(0, 40)
  expect(await verifyRange(useCase)).toMatchObject({ complete: true, warnings: [], total: { delivered: 100n, holes: 0n } })
  await fleet.client.useCases.pauseUseCase({ name: useCase.name, reason: 'for longer than the retention' })
  await waitForPause(fleet, useCase)
  await topic.publish(at(50, 100))
  await topic.forgetBelow(0, 120)
  await fleet.client.useCases.resumeUseCase({ name: useCase.name })
  await certificate(fleet, useCase, settleMsMax)
  const { complete, warnings, total } = await verifyRange(useCase)
  expect([complete, warnings]).toEqual([true, [VerificationWarning.DELETED_UNREAD]])
  expect(total).toMatchObject({ offsets: 150n, delivered: 130n, missing: 0n })
  expect(total!.holeCounts).toMatchObject([{ kind: HoleKind.RETENTION, count: 20n }])
  // Kafka no longer has what was first at or after 20 s; the log knows it. It still has what comes after 130 s.
  const window = await verifyRange(useCase, { fromMs: startMs + 19_500, toMs: startMs + 130_000 })
  expect(window.partitions).toMatchObject([{ fromOffset: 20n, toOffset: 130n, counts: { delivered: 90n, holes: 20n } }])
})

test.concurrent('a topic that is written to all the time is on its way, and nothing of it is ever missing', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start(({ offset }) => ({ status: offset % 50 === 7 ? 503 : 200, delayMs: offset % 5 }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
  const retry = { initialInterval: durationFromMs(100), maxRetries: 1, giveUp: GiveUp.UNFUNDED }
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { retry }))
  const batches = 15
  for (let batch = 0; batch < batches; batch++) {
    const writing = topic.publish(jsonRecords(40, { from: batch * 40 }))
    const { total, incompleteReasons } = await verifyRange(useCase)
    expect(total!.missing).toBe(0n)
    for (const alarm of [IncompleteReason.MISSING, IncompleteReason.LOG_EXPIRED, IncompleteReason.TOPIC_CHANGED])
      expect(incompleteReasons).not.toContain(alarm)
    await writing
  }
  const published = batches * 40
  expect(await certificate(fleet, useCase, settleMsMax)).toMatchObject({ published, missing: 0, onTheWay: 0 })
})

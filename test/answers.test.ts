import { durationFromMs } from '@bufbuild/protobuf/wkt'
import { expect, test } from 'vitest'
import { StatusAction, UseCaseState } from '../proto/gen/ferry/v1/use_case_pb.ts'
import { certificate } from './harness/certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { fleetOfFile } from './harness/fleet.ts'
import { judge } from './harness/judge.ts'
import type { Behaviour } from './harness/received.ts'
import { jsonRecords, Topic } from './harness/topic.ts'
import { registerUseCase, specOf } from './harness/use-case.ts'
import { waitUntil } from './harness/wait-until.ts'

const fleetOf = fleetOfFile({ workers: 1 })
const { RETRY, FAIL, SKIP, PAUSE } = StatusAction

test('rules say what a status means, and an answer says itself what becomes of its record', async () => {
  const fleet = fleetOf()
  const action = (text: string, status = 200): ReturnType<Behaviour> => ({ status, headers: { 'ferry-action': text } })
  const answers: Record<number, Behaviour> = {
    1: () => ({ status: 404 }),
    2: () => ({ status: 503 }),
    3: ({ attempt }) => (attempt === 1 ? { status: 409 } : {}),
    4: () => action('skip', 500),
    5: () => action('fail'),
    6: ({ attempt }) => (attempt === 1 ? action('retry;after=2') : {}),
    7: () => action('perhaps'),
  }
  await using endpoint = await Endpoint.start((request) => answers[request.offset % 20]?.(request) ?? {})
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  await topic.publish(jsonRecords(100))
  const statusRules = [
    { status: ['404'], action: SKIP },
    { status: ['500-503'], action: FAIL },
    { status: ['409'], action: RETRY, interval: durationFromMs(1000) },
  ]
  const spec = specOf(topic, endpoint, { retry: { statusRules, answerDecides: true, jitterRatio: 0 } })
  const useCase = await registerUseCase(fleet, spec)
  const counts = await certificate(fleet, useCase, 30_000)
  expect(counts).toMatchObject({ published: 100, delivered: 80, skipped: 10, failed: 10, missing: 0, repeated: 0 })
  const judged = await judge(fleet, useCase, topic, endpoint)
  expect(judged.problems).toEqual([])
  expect(judged).toMatchObject({ requests: 110, attempts: 110 })
  const rows = await fleet.sql.rows(`SELECT offset % 20 AS kind, outcome, reason, count() AS rows, any(error) != '' AS told
    FROM attempts WHERE uid = '${useCase.uid}' AND kind BETWEEN 1 AND 7 AND attempt = 1 GROUP BY ALL ORDER BY kind`)
  expect(rows).toEqual([
    { kind: 1, outcome: 'SKIPPED', reason: 'STATUS_SKIPPED', rows: 5, told: 0 },
    { kind: 2, outcome: 'FAILED', reason: 'NON_RETRYABLE_STATUS', rows: 5, told: 0 },
    { kind: 3, outcome: 'RETRY', reason: 'RETRYABLE_STATUS', rows: 5, told: 0 },
    { kind: 4, outcome: 'SKIPPED', reason: 'ANSWER', rows: 5, told: 0 },
    { kind: 5, outcome: 'FAILED', reason: 'ANSWER', rows: 5, told: 0 },
    { kind: 6, outcome: 'RETRY', reason: 'ANSWER', rows: 5, told: 0 },
    { kind: 7, outcome: 'DELIVERED', reason: 'NONE', rows: 5, told: 1 },
  ])
  const waits = Map.groupBy(endpoint.requests, ({ offset }) => offset)
  const waitMs = (offset: number) => waits.get(offset)![1]!.arrivedMs - waits.get(offset)![0]!.arrivedMs
  expect(waitMs(3)).toBeGreaterThanOrEqual(1000)
  expect(waitMs(6)).toBeGreaterThanOrEqual(2000)
})

test('an answer pauses its use case: nothing more is sent until somebody resumes it, and the record costs nobody a retry', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start(({ offset }) => ({ status: offset === 40 ? 410 : 200 }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
  await topic.publish(jsonRecords(200))
  const retry = { statusRules: [{ status: ['410'], action: PAUSE }], maxRetries: 0 }
  const spec = specOf(topic, endpoint, { retry, delivery: { maxInFlight: 1 } })
  const { name } = await registerUseCase(fleet, spec)
  const current = async () => (await fleet.client.useCases.getUseCase({ name })).useCase!
  await waitUntil('it is paused', 20_000, async () => (await current()).status?.state === UseCaseState.PAUSED)
  const paused = await current()
  expect(paused.status?.pauseReason).toBe(`the endpoint answered 410 to ${topic.name}/0/40`)
  expect(endpoint.requests).toHaveLength(41)
  endpoint.behaviour = () => ({})
  await fleet.client.useCases.resumeUseCase({ name })
  const counts = await certificate(fleet, paused, 20_000)
  expect(counts).toMatchObject({ published: 200, delivered: 200, failed: 0, missing: 0 })
  const judged = await judge(fleet, paused, topic, endpoint)
  expect(judged.problems).toEqual([])
  expect(judged.requests).toBe(201)
})

import type { MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { describe, expect, test } from 'vitest'
import { type Replay, type ReplaySchema, ReplayState } from '../proto/gen/ferry/v1/replay_pb.ts'
import { GiveUp, Ordering, type UseCase } from '../proto/gen/ferry/v1/use_case_pb.ts'
import { certificate } from './harness/certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { type Fleet, fleetOfFile, shortLease } from './harness/fleet.ts'
import { jsonRecords, type Publication, Topic } from './harness/topic.ts'
import { registerUseCase, specOf } from './harness/use-case.ts'
import { waitUntil } from './harness/wait-until.ts'

const secretKeys = { FERRY_SECRET_KEYS: `k1:${Buffer.alloc(32, 7).toString('base64')}` }
const fleetOf = fleetOfFile({ workers: 2, workerEnv: { ...shortLease, ...secretKeys }, controlPlaneEnv: secretKeys })

const spread = (records: readonly Publication[]): Publication[] =>
  records.map((each, index) => ({ ...each, partition: index % 2 }))

async function createReplay(fleet: Fleet, useCase: UseCase, more: MessageInitShape<typeof ReplaySchema>): Promise<Replay> {
  const { replay } = await fleet.client.replays.createReplay({ replay: { useCase: useCase.name, reason: 'once more', ...more } })
  return replay!
}

async function waitForReplay(fleet: Fleet, name: string): Promise<Replay> {
  let last: Replay | undefined
  return waitUntil(
    `${name} is done`,
    60_000,
    async () => {
      last = (await fleet.client.replays.getReplay({ name })).replay!
      return last.state === ReplayState.DONE && last
    },
    () => last,
  )
}

/** Nothing of a replay is left in Redis, and no lane of it. */
const waitUntilGone = (fleet: Fleet, { name }: UseCase): Promise<unknown> =>
  waitUntil('its lanes are gone', 30_000, async () => {
    const { lanes } = await fleet.client.fleet.listLanes({ useCase: name })
    return lanes.every(({ id }) => !id!.uid.includes('~'))
  })

const rowsOf = (fleet: Fleet, { uid }: UseCase, replay: string) =>
  fleet.sql.rows<{ purpose: string; trigger: string; outcome: string; count: number }>(
    `SELECT purpose, trigger, outcome, count() AS count FROM attempts WHERE uid = '${uid}' AND replay = '${replay}'
      GROUP BY purpose, trigger, outcome ORDER BY purpose, trigger, outcome`,
  )

const idOf = ({ name }: { readonly name: string }): string => name.split('/').at(-1)!

describe.concurrent('a replay', () => {
  test('sends a range of offsets once more, whatever became of it, and its outcomes are not those of the records', async () => {
    const fleet = fleetOf()
    await using endpoint = await Endpoint.start(({ offset, headers }) => ({
      status: offset === 7 && !headers['ferry-replay'] ? 422 : 200,
    }))
    await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
    await topic.publish(spread(jsonRecords(100, { keys: 5 })))
    const useCase = await registerUseCase(
      fleet,
      specOf(topic, endpoint, { delivery: { ordering: Ordering.KEY }, retry: { giveUp: GiveUp.UNFUNDED } }),
    )
    const before = await certificate(fleet, useCase, 30_000)
    expect(before).toMatchObject({ published: 100, delivered: 98, failed: 2 })
    const asked = {
      ranges: [
        { partition: 0, fromOffset: 5n, toOffset: 25n },
        { partition: 1, fromOffset: 40n },
      ],
      recordsPerSecond: 1000,
    }
    const { name } = await createReplay(fleet, useCase, asked)
    const done = await waitForReplay(fleet, name)
    expect(done).toMatchObject({ offsetCount: 30n, doneCount: 30n, delivered: 30n, failed: 0n })
    const again = endpoint.requests.filter(({ headers }) => headers['ferry-replay'] !== undefined)
    const places = again.map(({ partition, offset }) => partition * 100 + offset).sort((a, b) => a - b)
    expect(places).toEqual([...Array.from({ length: 20 }, (_, at) => at + 5), ...Array.from({ length: 10 }, (_, at) => at + 140)])
    expect(again.every(({ headers }) => headers['ferry-replay'] === idOf(done))).toBe(true)
    const { headers, partition, offset } = again[0]!
    expect(headers['idempotency-key']).toBe(`${useCase.uid}~${idOf(done)}/default/${topic.name}/${partition}/${offset}`)
    expect(await certificate(fleet, useCase, 30_000)).toEqual(before)
    expect(await rowsOf(fleet, useCase, idOf(done))).toEqual([
      { purpose: 'DELIVER', trigger: 'REPLAY', outcome: 'DELIVERED', count: 30 },
    ])
    await waitUntilGone(fleet, useCase)
    const { replays } = await fleet.client.replays.listReplays({ useCase: useCase.name })
    expect(replays).toMatchObject([{ name, state: ReplayState.DONE, delivered: 30n }])
  }, 120_000)

  test('to another URL has no credentials, keeps its rate, retries, and leaves the endpoint alone', async () => {
    const fleet = fleetOf()
    await using endpoint = await Endpoint.start()
    const seen = new Set<string>()
    await using shadow = await Endpoint.start(({ partition, offset }) => {
      const place = `${partition}/${offset}`
      const isFirst = !seen.has(place)
      seen.add(place)
      return { status: offset === 3 ? 422 : isFirst && offset % 10 === 0 ? 503 : 200 }
    })
    await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
    const startMs = Date.now() - 3_600_000
    await topic.publish(spread(jsonRecords(120).map((each, at) => ({ ...each, timestampMs: startMs + at * 1000 }))))
    const spec = specOf(topic, endpoint)
    const auth = { scheme: { case: 'bearer', value: { token: { value: 'top-secret' } } } } as const
    const retry = { ...(spec.retry as object), giveUp: GiveUp.UNFUNDED }
    const destination = { url: endpoint.url, auth }
    const useCase = await registerUseCase(fleet, { ...spec, destination, retry })
    const before = await certificate(fleet, useCase, 30_000)
    expect(before).toMatchObject({ published: 120, delivered: 120 })
    expect(endpoint.requests[0]!.headers['authorization']).toBe('Bearer top-secret')
    // The second half.
    const asked = { fromTime: timestampFromMs(startMs + 60_000), url: shadow.url, recordsPerSecond: 30 }
    const { name } = await createReplay(fleet, useCase, { ...asked, withCredentials: false })
    const done = await waitForReplay(fleet, name)
    expect(done).toMatchObject({ offsetCount: 60n, delivered: 60n, failed: 0n })
    expect(shadow.requests.every(({ headers }) => headers['authorization'] === undefined)).toBe(true)
    expect(endpoint.requests).toHaveLength(120)
    const times = shadow.requests.map(({ arrivedMs }) => arrivedMs).sort((a, b) => a - b)
    expect(times.at(-1)! - times[0]!).toBeGreaterThan(1000)
    expect(await certificate(fleet, useCase, 30_000)).toEqual(before)
    const rows = await rowsOf(fleet, useCase, idOf(done))
    expect(rows.map(({ purpose, trigger, outcome }) => `${purpose} ${trigger} ${outcome}`)).toEqual([
      ...['SHADOW RETRY DELIVERED', 'SHADOW REPLAY DELIVERED', 'SHADOW REPLAY RETRY'],
    ])
    // With them, when asked for.
    const trusted = await createReplay(fleet, useCase, {
      ranges: [{ partition: 0, toOffset: 1n }],
      url: shadow.url,
      withCredentials: true,
    })
    await waitForReplay(fleet, trusted.name)
    expect(shadow.requests.at(-1)!.headers['authorization']).toBe('Bearer top-secret')
  }, 120_000)

  test('that is cancelled sends no more, and one of a use case that is deleted neither', async () => {
    const fleet = fleetOf()
    await using endpoint = await Endpoint.start()
    await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
    await topic.publish(spread(jsonRecords(200)))
    const useCase = await registerUseCase(fleet, specOf(topic, endpoint))
    await certificate(fleet, useCase, 30_000)
    const all = { ranges: [{ partition: 0 }, { partition: 1 }], recordsPerSecond: 5 }
    const { name } = await createReplay(fleet, useCase, all)
    await waitUntil('some are sent', 30_000, () => endpoint.requests.length > 205)
    const { replay } = await fleet.client.replays.cancelReplay({ name, reason: 'enough' }, { headers: { 'ferry-actor': 'ada' } })
    expect(replay).toMatchObject({ state: ReplayState.CANCELLED, cancelReason: 'by ada: enough' })
    await waitUntilGone(fleet, useCase)
    const sent = endpoint.requests.length
    expect(sent).toBeLessThan(300)
    const other = await createReplay(fleet, useCase, all)
    await waitUntil('more are sent', 30_000, () => endpoint.requests.length > sent)
    await fleet.client.useCases.deleteUseCase({ name: useCase.name, force: true })
    await waitUntil('it is cancelled', 30_000, async () => {
      const { replay: orphan } = await fleet.client.replays.getReplay({ name: other.name })
      return orphan!.state === ReplayState.CANCELLED
    })
    expect(endpoint.requests.length).toBeLessThan(400)
  }, 120_000)
})

test('a worker that is killed in the middle of a replay: each record once more, but what was on its way', async () => {
  const fleet = fleetOf()
  await using endpoint = await Endpoint.start()
  await using shadow = await Endpoint.start(() => ({ delayMs: 10 }))
  await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
  await topic.publish(spread(jsonRecords(600)))
  const useCase = await registerUseCase(fleet, specOf(topic, endpoint))
  const before = await certificate(fleet, useCase, 30_000)
  const ranges = [
    { partition: 0, fromOffset: 50n },
    { partition: 1, toOffset: 250n },
  ]
  const { name } = await createReplay(fleet, useCase, { ranges, url: shadow.url, recordsPerSecond: 150 })
  await waitUntil('a third is sent', 40_000, () => shadow.requests.length > 170)
  fleet.workers[0]!.kill('SIGKILL')
  const done = await waitForReplay(fleet, name)
  expect(done).toMatchObject({ offsetCount: 500n, delivered: 500n })
  expect(shadow.delivered).toBe(500)
  // What was answered and not yet in the log: half a second of it, and what was on its way.
  expect(shadow.requests.length).toBeLessThan(500 + 250)
  expect(await certificate(fleet, useCase, 30_000)).toEqual(before)
}, 120_000)

import { describe, expect, test } from 'vitest'
import { RetryBatchState, type RetryItem, RetryItemState, StalePolicy } from '../proto/gen/ferry/v1/retry_batch_pb.ts'
import { GiveUp, Ordering } from '../proto/gen/ferry/v1/use_case_pb.ts'
import { certificate } from './harness/certificate.ts'
import { Endpoint } from './harness/endpoint.ts'
import { fleetOfFile } from './harness/fleet.ts'
import { judge } from './harness/judge.ts'
import { createBatch, getBatch, waitForBatch } from './harness/retry-batch.ts'
import { jsonRecords, type Publication, Topic } from './harness/topic.ts'
import { registerUseCase, specOf } from './harness/use-case.ts'
import { waitUntil } from './harness/wait-until.ts'

// A few deliveries per lane at a time, so that handing over takes several turns and a cancel comes in the middle.
const fleetOf = fleetOfFile({ workers: 2, controlPlaneEnv: { FERRY_INBOX_MAX: '50' } })

const idOf = ({ body }: { readonly body: string }): number => JSON.parse(body).id

const spread = (records: readonly Publication[]): Publication[] =>
  records.map((each, index) => ({ ...each, partition: index % 2 }))

describe.concurrent('a retry batch', () => {
  test('delivers in one call what had failed, each record once, when the endpoint is fixed', async () => {
    const fleet = fleetOf()
    let isFixed = false
    await using endpoint = await Endpoint.start((request) => ({ status: !isFixed && idOf(request) % 10 === 3 ? 422 : 200 }))
    await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
    await topic.publish(spread(jsonRecords(600)))
    const useCase = await registerUseCase(fleet, specOf(topic, endpoint))
    expect(await certificate(fleet, useCase, 30_000)).toMatchObject({ published: 600, delivered: 540, failed: 60, missing: 0 })
    const { retryBatches } = fleet.client
    const asked = { useCase: useCase.name, reason: 'fixed', filter: { statuses: [422] } }
    expect(await retryBatches.planRetryBatch({ retryBatch: asked })).toMatchObject({
      ...{ selected: 60n, bytesInKafka: 60n, bytesInPayloads: 0n, payloadExpired: 0n },
    })
    expect(endpoint.requests).toHaveLength(600)
    isFixed = true
    const { retryBatch } = await retryBatches.createRetryBatch({ retryBatch: asked, requestId: 'once' })
    const again = await retryBatches.createRetryBatch({ retryBatch: asked, requestId: 'once' })
    expect(again.retryBatch!.name).toBe(retryBatch!.name)
    const done = await waitForBatch(fleet, retryBatch!.name, 40_000)
    expect(done).toMatchObject({ selected: 60n, enqueued: 60n, delivered: 60n, failedAgain: 0n, superseded: 0n })
    const counts = await certificate(fleet, useCase, 20_000)
    expect(counts).toMatchObject({ published: 600, delivered: 600, failed: 0, missing: 0, onTheWay: 0, repeated: 0 })
    const judged = await judge(fleet, useCase, topic, endpoint)
    expect(judged.problems).toEqual([])
    expect(judged).toMatchObject({ requests: 660, repeats: 0 })
    const second = endpoint.requests.filter((each) => each.round === 1)
    expect(second).toHaveLength(60)
    expect(second.every((each) => each.attempt === 1 && idOf(each) % 10 === 3)).toBe(true)
  }, 90_000)

  test('of what fails once more counts as such, and another batch may open it again', async () => {
    const fleet = fleetOf()
    let fixed: (id: number) => boolean = () => false
    await using endpoint = await Endpoint.start((request) => {
      const id = idOf(request)
      return { status: id % 10 === 3 && !fixed(id) ? 422 : 200 }
    })
    await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
    await topic.publish(spread(jsonRecords(400)))
    const useCase = await registerUseCase(fleet, specOf(topic, endpoint))
    expect(await certificate(fleet, useCase, 30_000)).toMatchObject({ published: 400, delivered: 360, failed: 40 })
    fixed = (id) => id < 200
    const first = await waitForBatch(fleet, (await createBatch(fleet, useCase)).name, 40_000)
    expect(first).toMatchObject({ selected: 40n, delivered: 20n, failedAgain: 20n })
    expect(await certificate(fleet, useCase, 20_000)).toMatchObject({ delivered: 380, failed: 20, missing: 0 })
    fixed = () => true
    const second = await waitForBatch(fleet, (await createBatch(fleet, useCase)).name, 40_000)
    expect(second).toMatchObject({ selected: 20n, delivered: 20n, failedAgain: 0n })
    expect(await certificate(fleet, useCase, 20_000)).toMatchObject({ delivered: 400, failed: 0, missing: 0, repeated: 0 })
    const judged = await judge(fleet, useCase, topic, endpoint)
    expect(judged.problems).toEqual([])
    expect(judged).toMatchObject({ requests: 460, repeats: 0 })
    expect(Math.max(...endpoint.requests.map((each) => each.round))).toBe(2)
  }, 90_000)

  test('ends an older record of a key SUPERSEDED when a newer one was delivered, or sends it when asked to', async () => {
    const fleet = fleetOf()
    let isFixed = false
    // Of each key the first record fails; the second is taken, but not of k0 to k4, which have nothing newer.
    await using endpoint = await Endpoint.start((request) => ({ status: !isFixed && idOf(request) < 20 ? 422 : 200 }))
    await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
    await topic.publish(jsonRecords(20, { keys: 20 }))
    await topic.publish(jsonRecords(20, { keys: 20, from: 20 }).slice(5))
    const delivery = { ordering: Ordering.KEY }
    const retry = { giveUp: GiveUp.UNFUNDED }
    const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { delivery, retry }))
    expect(await certificate(fleet, useCase, 30_000)).toMatchObject({ published: 35, delivered: 15, failed: 20 })
    isFixed = true
    const partial = { partition: 0, fromOffset: 0n, toOffset: 10n }
    const skip = await waitForBatch(fleet, (await createBatch(fleet, useCase, { filter: partial })).name, 40_000)
    expect(skip).toMatchObject({ selected: 10n, delivered: 5n, superseded: 5n, failedAgain: 0n })
    const more = { filter: { partition: 0, fromOffset: 10n }, stalePolicy: StalePolicy.SEND }
    const send = await waitForBatch(fleet, (await createBatch(fleet, useCase, more)).name, 40_000)
    expect(send).toMatchObject({ selected: 10n, delivered: 10n, superseded: 0n, failedAgain: 0n })
    const counts = await certificate(fleet, useCase, 20_000)
    expect(counts).toMatchObject({ published: 35, delivered: 30, superseded: 5, failed: 0, missing: 0, repeated: 0 })
    const judged = await judge(fleet, useCase, topic, endpoint)
    expect(judged.problems).toEqual([])
    expect(judged.outcomes).toEqual({ DELIVERED: 30, SUPERSEDED: 5, FAILED: 0, SKIPPED: 0 })
  }, 90_000)

  test('that is cancelled stops: what was sent stays sent, what was not stays FAILED', async () => {
    const fleet = fleetOf()
    let isFixed = false
    await using endpoint = await Endpoint.start(() => (isFixed ? { delayMs: 20 } : { status: 422 }))
    await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
    await topic.publish(spread(jsonRecords(1000)))
    const delivery = { maxInFlight: 4 }
    const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { delivery, retry: { giveUp: GiveUp.UNFUNDED } }))
    expect(await certificate(fleet, useCase, 30_000)).toMatchObject({ published: 1000, delivered: 0, failed: 1000 })
    isFixed = true
    const { name } = await createBatch(fleet, useCase)
    await waitUntil('a part of it is delivered', 40_000, () => endpoint.successes > 60)
    await fleet.client.retryBatches.cancelRetryBatch({ name })
    const cancelled = await getBatch(fleet, name)
    expect(cancelled.state).toBe(RetryBatchState.CANCELLED)
    const counts = await certificate(fleet, useCase, 30_000)
    expect(counts).toMatchObject({ published: 1000, missing: 0, onTheWay: 0, repeated: 0 })
    const delivered = await settled(() => endpoint.successes)
    expect(delivered).toBeLessThan(500)
    const after = await certificate(fleet, useCase, 30_000)
    expect(after).toMatchObject({ delivered, failed: 1000 - delivered, missing: 0 })
    expect(Number((await getBatch(fleet, name)).delivered)).toBe(delivered)
    const judged = await judge(fleet, useCase, topic, endpoint)
    expect(judged.problems).toEqual([])
    expect(judged.repeats).toBe(0)
    // What the batch left open can be opened by another one.
    const rest = await waitForBatch(fleet, (await createBatch(fleet, useCase)).name, 60_000)
    expect(rest).toMatchObject({ selected: BigInt(1000 - delivered), delivered: BigInt(1000 - delivered) })
    expect(await certificate(fleet, useCase, 20_000)).toMatchObject({ delivered: 1000, failed: 0, missing: 0, repeated: 0 })
  }, 120_000)

  test('takes the bytes from the log when Kafka no longer has them', async () => {
    const fleet = fleetOf()
    let isFixed = false
    await using endpoint = await Endpoint.start((request) => ({ status: !isFixed && idOf(request) % 10 === 3 ? 422 : 200 }))
    await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
    await topic.publish(jsonRecords(200))
    const useCase = await registerUseCase(fleet, specOf(topic, endpoint))
    expect(await certificate(fleet, useCase, 30_000)).toMatchObject({ published: 200, delivered: 180, failed: 20 })
    await topic.forgetBelow(0, 150)
    isFixed = true
    const retryBatch = { useCase: useCase.name, reason: 'old ones' }
    await waitUntil('Kafka has forgotten them', 10_000, async () => {
      const plan = await fleet.client.retryBatches.planRetryBatch({ retryBatch })
      return plan.bytesInKafka === 5n && plan.bytesInPayloads === 15n && plan.payloadExpired === 0n
    })
    const done = await waitForBatch(fleet, (await createBatch(fleet, useCase)).name, 40_000)
    expect(done).toMatchObject({ selected: 20n, delivered: 20n, failedAgain: 0n, payloadExpired: 0n })
    const bodies = endpoint.requests.filter((each) => each.round === 1).map((each) => each.body)
    expect(bodies.sort()).toEqual(
      Array.from({ length: 20 }, (_, index) => JSON.stringify({ id: index * 10 + 3, text: `record ${index * 10 + 3}` })).sort(),
    )
  }, 90_000)

  test('goes by its pace over all lanes, is paused, goes on, and sends each delivery once, under a key of its own', async () => {
    const fleet = fleetOf()
    let isFixed = false
    await using endpoint = await Endpoint.start(() => ({ status: isFixed ? 200 : 422 }))
    await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
    await topic.publish(spread(jsonRecords(300)))
    const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { retry: { giveUp: GiveUp.UNFUNDED } }))
    expect(await certificate(fleet, useCase, 30_000)).toMatchObject({ published: 300, failed: 300 })
    isFixed = true
    const { retryBatches } = fleet.client
    const asked = { recordsPerSecond: 50, newIdempotencyKey: true }
    const { name } = await createBatch(fleet, useCase, asked)
    await waitUntil('a part of it is delivered', 40_000, () => endpoint.successes >= 60)
    await retryBatches.pauseRetryBatch({ name, reason: 'wait a moment' }, { headers: { 'ferry-actor': 'ada' } })
    const delivered = await settled(() => endpoint.successes)
    expect(delivered).toBeLessThan(300)
    const states = async () => {
      const items: RetryItem[] = []
      for (let pageToken = '', isFirst = true; isFirst || pageToken !== ''; isFirst = false) {
        const page = await retryBatches.listRetryBatchItems({ name, pageSize: 100, pageToken })
        items.push(...page.items)
        pageToken = page.nextPageToken
      }
      const count = (state: RetryItemState) => items.filter((item) => item.state === state).length
      return [items.length, count(RetryItemState.DELIVERED), count(RetryItemState.WAITING)]
    }
    const expected = [300, delivered, 300 - delivered].join()
    await waitUntil('the log has what was delivered', 20_000, async () => (await states()).join() === expected, states)
    await retryBatches.resumeRetryBatch({ name })
    const done = await waitForBatch(fleet, name, 60_000)
    expect(done).toMatchObject({ selected: 300n, delivered: 300n, remaining: 0n })
    expect(done.events.map(({ actor, reason }) => [actor, reason]).slice(1)).toEqual([
      ['ada', 'wait a moment'],
      ['anonymous', ''],
    ])
    const judged = await judge(fleet, useCase, topic, endpoint)
    expect(judged.problems).toEqual([])
    expect(judged).toMatchObject({ requests: 600, repeats: 0 })
    const second = endpoint.requests.filter((each) => each.round > 0)
    const id = name.split('/').at(-1)!
    expect(
      second.every(
        ({ headers, partition, offset }) =>
          headers['idempotency-key'] === `${useCase.uid}/default/${topic.name}/${partition}/${offset}/${id}`,
      ),
    ).toBe(true)
    const times = second.map(({ arrivedMs }) => arrivedMs).sort((a, b) => a - b)
    // In any second not many more than 50, on a machine that is now and then late; at once all 300 would come in one.
    const most = Math.max(...times.map((from) => times.filter((ms) => ms >= from && ms < from + 1000).length))
    expect(most).toBeLessThan(150)
  }, 120_000)

  test('meets another one and the automatic retries: nothing is sent by two at once', async () => {
    const fleet = fleetOf()
    let isFixed = false
    // Of ten one fails for good, one for now.
    await using endpoint = await Endpoint.start((request) => {
      const digit = idOf(request) % 10
      return { status: isFixed ? 200 : digit === 3 ? 422 : digit === 4 ? 503 : 200, delayMs: 5 }
    })
    await using topic = await Topic.create(fleet.stack.kafkaBrokers, 2)
    await topic.publish(spread(jsonRecords(400)))
    const retry = { giveUp: GiveUp.UNFUNDED, initialInterval: { seconds: 2n }, jitterRatio: 0 }
    const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { retry }))
    // What ends after a batch was made does not join it.
    const failedSql = `SELECT uniqExact(partition, offset) FROM outcomes WHERE uid = '${useCase.uid}' AND outcome = 'FAILED'`
    await waitUntil('the log has all that fails', 30_000, async () => (await fleet.sql.number(failedSql)) === 40)
    const everything = [0, 1].map((partition) => ({ partition, runs: [{ firstOffset: 0n, lastOffset: 199n }] }))
    isFixed = true
    const made = await Promise.all([
      createBatch(fleet, useCase),
      createBatch(fleet, useCase, { filter: { offsets: everything } }),
      createBatch(fleet, useCase, { recordsPerSecond: 1000 }),
    ])
    for (const { name } of made) await waitForBatch(fleet, name, 60_000)
    const counts = await certificate(fleet, useCase, 30_000)
    expect(counts).toMatchObject({ published: 400, delivered: 400, failed: 0, missing: 0, repeated: 0 })
    const judged = await judge(fleet, useCase, topic, endpoint)
    expect(judged.problems).toEqual([])
    expect(judged.repeats).toBe(0)
  }, 90_000)

  test('sends what the log has lost, by the gaps of a verification', async () => {
    const fleet = fleetOf()
    await using endpoint = await Endpoint.start()
    await using topic = await Topic.create(fleet.stack.kafkaBrokers, 1)
    await topic.publish(jsonRecords(100, { keys: 3 }))
    const useCase = await registerUseCase(fleet, specOf(topic, endpoint, { delivery: { ordering: Ordering.KEY } }))
    expect(await certificate(fleet, useCase, 30_000)).toMatchObject({ published: 100, delivered: 100 })
    for (const table of ['outcomes', 'attempts'])
      await fleet.sql.run(`DELETE FROM ${table} WHERE uid = '${useCase.uid}' AND offset BETWEEN 20 AND 29`)
    const verified = await fleet.client.deliveries.verifyRange({ useCase: useCase.name })
    expect(verified.total).toMatchObject({ delivered: 90n, missing: 10n })
    const offsets = verified.partitions.map(({ partition, missing }) => ({ partition, runs: missing }))
    const retryBatch = { useCase: useCase.name, reason: 'lost', filter: { offsets } }
    expect(await fleet.client.retryBatches.planRetryBatch({ retryBatch })).toMatchObject({
      selected: 10n,
      missing: 10n,
      bytesInKafka: 10n,
    })
    const done = await waitForBatch(fleet, (await createBatch(fleet, useCase, retryBatch)).name, 40_000)
    expect(done).toMatchObject({ selected: 10n, delivered: 10n })
    expect(await certificate(fleet, useCase, 20_000)).toMatchObject({ delivered: 100, missing: 0 })
    const again = endpoint.requests.filter((each) => each.round === 1)
    expect(again.map(({ offset }) => offset).sort((a, b) => a - b)).toEqual(Array.from({ length: 10 }, (_, at) => at + 20))
    for (const key of ['k0', 'k1', 'k2']) {
      const order = again.filter((each) => each.offset % 3 === Number(key[1])).map(({ offset }) => offset)
      expect(order).toEqual(order.toSorted((a, b) => a - b))
    }
  }, 90_000)
})

/** The value once it has not changed for a second. */
async function settled(read: () => number): Promise<number> {
  let value = read()
  let sinceMs = performance.now()
  return waitUntil('it stands still', 30_000, () => {
    const now = read()
    if (now !== value) [value, sinceMs] = [now, performance.now()]
    return performance.now() - sinceMs > 1000 && value
  })
}

import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { RetryBatchState, RetryItemState } from '../../proto/gen/ferry/v1/retry_batch_pb.ts'
import { RetryBatchService } from '../../proto/gen/ferry/v1/retry_batch_service_pb.ts'
import { TestServer } from '../test-server.ts'
import { retryFilter } from './retry-selection.ts'

const nowMs = Date.parse('2026-01-31T12:00:00Z')

function file(value: object): string {
  const path = join(mkdtempSync(join(tmpdir(), 'ferry-cli-')), 'verify.json')
  writeFileSync(path, JSON.stringify(value))
  return path
}

test('records are named one by one and in runs, of any partitions', () => {
  expect(retryFilter({ records: ['0/5', '1/7-9', '0/10-19'] }, nowMs).offsets).toEqual([
    {
      partition: 0,
      runs: [
        { firstOffset: 5n, lastOffset: 5n },
        { firstOffset: 10n, lastOffset: 19n },
      ],
    },
    { partition: 1, runs: [{ firstOffset: 7n, lastOffset: 9n }] },
  ])
  for (const wrong of ['0', '0/5-']) expect(() => retryFilter({ records: [wrong] }, nowMs), wrong).toThrow('has no end')
  expect(retryFilter({}, nowMs)).toEqual({})
})

test('what verify has found missing is taken from its answer, or from a certificate', () => {
  const answer = { partitions: [{ partition: 3, missing: [{ first_offset: '5', last_offset: '6' }] }] }
  const offsets = [{ partition: 3, runs: [{ firstOffset: 5n, lastOffset: 6n }] }]
  const taken = (value: object) =>
    retryFilter({ missingOf: file(value) }, nowMs).offsets?.map(({ partition, runs }) => ({
      partition,
      runs: runs.map(({ firstOffset, lastOffset }) => ({ firstOffset, lastOffset })),
    }))
  expect(taken(answer)).toEqual(offsets)
  expect(taken({ verification: { result: answer } })).toEqual(offsets)
  expect(() => taken({ partitions: [] })).toThrow('nothing is missing')
  expect(() => retryFilter({ missingOf: '/nowhere' }, nowMs)).toThrow('is no answer of ferry verify')
})

test('a batch is sent as its plan was shown, at a pace; it is paused, resumed and its deliveries are listed', async () => {
  const calls: [string, object][] = []
  const name = 'namespaces/shop/useCases/orders/retryBatches/b1'
  const note = (method: string, request: object, state: RetryBatchState) => {
    calls.push([method, request])
    return { retryBatch: { name, state, selected: 10n, delivered: 4n } }
  }
  await using server = await TestServer.start((router) => {
    router.service(RetryBatchService, {
      planRetryBatch: () => ({ selected: 10n, asOfTime: { seconds: 7n } }),
      createRetryBatch: (request) => note('create', request, RetryBatchState.RUNNING),
      pauseRetryBatch: (request) => note('pause', request, RetryBatchState.PAUSED),
      resumeRetryBatch: (request) => note('resume', request, RetryBatchState.RUNNING),
      listRetryBatchItems(request) {
        calls.push(['items', request])
        return { items: [{ partition: 3, offset: 5n, state: RetryItemState.FAILED_AGAIN, status: 422 }] }
      },
    })
  })
  await server.ferry(['retry', 'orders', '--rate', '0.5', '--group', '422-X-0', '--reason', 'mended', '--yes', '--detach'])
  await server.ferry('retry orders --reason mended --yes --detach --request-id r1')
  expect(calls).toMatchObject([
    ['create', { retryBatch: { recordsPerSecond: 0.5, filter: { failureGroup: '422-X-0' }, asOfTime: { seconds: 7n } } }],
    ['create', { requestId: 'r1', retryBatch: { reason: 'mended' } }],
  ])
  expect((calls[1]![1] as { retryBatch: { asOfTime?: object } }).retryBatch.asOfTime).toBeUndefined()
  expect((await server.ferry('batches pause orders/b1 --reason slow')).printed).toBe(
    'shop/orders/b1 is paused: 4 of 10 have ended\n',
  )
  expect((await server.ferry('batches resume orders/b1')).printed).toContain('is running')
  expect((await server.ferry('batches items orders/b1 --state failed-again')).printed).toMatch(/3\/5 +FAILED_AGAIN +422/)
  expect(calls.slice(2)).toMatchObject([
    ['pause', { name, reason: 'slow' }],
    ['resume', { name }],
    ['items', { name, states: [RetryItemState.FAILED_AGAIN] }],
  ])
})

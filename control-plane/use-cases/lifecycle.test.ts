import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { UseCaseState } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { sharedStack } from '../../test/stack.ts'
import { caller, name, SampleRegistry } from './sample-registry.ts'
import { sampleUseCase } from './sample-use-case.ts'

let redisUrl: string
let sample: SampleRegistry

beforeAll(async () => {
  redisUrl = (await sharedStack()).redisUrl
})
beforeEach(async () => {
  sample = await SampleRegistry.open(redisUrl)
})
afterEach(() => sample.close())

describe('pause and resume', () => {
  test('a pause has a reason and ends when somebody resumes', async () => {
    await sample.create(sampleUseCase(name))
    const paused = await sample.lifecycle.pause(name, 'endpoint moves', undefined, caller)
    expect(paused).toMatchObject({ revision: 2n, status: { state: UseCaseState.PAUSED, pauseReason: 'endpoint moves' } })
    expect(await sample.lifecycle.pause(name, 'endpoint moves', undefined, caller)).toEqual(paused)
    const resumed = await sample.lifecycle.resume(name, caller)
    expect(resumed).toMatchObject({ revision: 3n, status: { state: UseCaseState.ACTIVE, pauseReason: '' } })
    expect(await sample.lifecycle.resume(name, caller)).toEqual(resumed)
    expect(await sample.changes()).toMatchObject([
      {},
      { action: 'PAUSE', reason: 'endpoint moves' },
      { action: 'RESUME', actor: 'somebody' },
    ])
  })

  test('a pause until a time ends by itself then, once, whoever looks', async () => {
    await sample.create(sampleUseCase(name))
    await sample.lifecycle.pause(name, 'lunch', timestampFromMs(sample.nowMs + 1000), caller)
    expect(await sample.lifecycle.resumeExpired()).toEqual([])
    sample.nowMs += 1000
    const resumed = (await Promise.all([1, 2, 3].map(() => sample.lifecycle.resumeExpired()))).flat()
    expect(resumed.map((each) => each.status!.state)).toEqual([UseCaseState.ACTIVE])
    expect(await sample.lifecycle.resumeExpired()).toEqual([])
    expect((await sample.changes()).at(-1)).toMatchObject({ action: 'RESUME', actor: 'ferry' })
  })

  test('a pause until the past is refused', async () => {
    await sample.create(sampleUseCase(name))
    const pausing = sample.lifecycle.pause(name, 'x', timestampFromMs(sample.nowMs), caller)
    await expect(pausing).rejects.toMatchObject({ code: 'INVALID_REQUEST', violations: [{ field: 'until' }] })
  })
})

describe('delete', () => {
  test('is refused while deliveries wait, with their count, unless forced', async () => {
    const { uid } = await sample.create(sampleUseCase(name))
    sample.parked = 7
    const deleting = sample.lifecycle.delete(name, false, '', caller)
    await expect(deleting).rejects.toMatchObject({ code: 'DELIVERIES_WAITING', metadata: { count: '7' } })
    expect(await sample.lifecycle.delete(name, true, '', caller)).toMatchObject({ uid, status: { state: UseCaseState.DELETING } })
  })

  test('takes two steps: deleting, and gone when the fleet has drained it', async () => {
    const first = await sample.create(sampleUseCase(name))
    expect(await sample.lifecycle.finishDelete(first.uid)).toBe(false)
    const deleting = await sample.lifecycle.delete(name, false, first.etag, caller)
    expect(await sample.lifecycle.delete(name, false, '', caller)).toEqual(deleting)
    await expect(sample.update(sampleUseCase(name, { description: 'x' }))).rejects.toMatchObject({ code: 'USE_CASE_DELETING' })
    await expect(sample.create(sampleUseCase(name))).rejects.toMatchObject({ code: 'USE_CASE_DELETING' })
    await expect(sample.lifecycle.resume(name, caller)).rejects.toMatchObject({ code: 'USE_CASE_DELETING' })
    expect(await sample.lifecycle.finishDelete(first.uid)).toBe(true)
    expect(await sample.lifecycle.finishDelete(first.uid)).toBe(false)
    expect(await sample.registry.getByUid(first.uid)).toBeUndefined()
    const second = await sample.create(sampleUseCase(name))
    expect(second.uid).not.toBe(first.uid)
    expect(second.etag).not.toBe(first.etag)
    expect(await sample.actions()).toEqual(['CREATE', 'DELETE', 'REMOVE', 'CREATE'])
  })

  test('with an etag of another revision is refused', async () => {
    const { etag } = await sample.create(sampleUseCase(name))
    await sample.update(sampleUseCase(name, { description: 'x' }))
    await expect(sample.lifecycle.delete(name, false, etag, caller)).rejects.toMatchObject({ code: 'ETAG_MISMATCH' })
  })
})

import { create } from '@bufbuild/protobuf'
import { durationFromMs } from '@bufbuild/protobuf/wkt'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { LaneState } from '../../proto/gen/ferry/v1/lane_pb.ts'
import {
  type HeartbeatRequest,
  type HeartbeatResponse,
  HeartbeatResponseSchema,
  type LaneReport,
  LaneReportSchema,
} from '../../proto/gen/ferry/v1/worker_service_pb.ts'
import type { Logger } from '../../runtime/log.ts'
import { Session } from './session.ts'

const silent = { info: () => {}, warn: () => {}, debug: () => {} } as unknown as Logger

let session: Session | undefined
afterEach(() => session?.stop(true))

const reply = (over: Partial<HeartbeatResponse> = {}): HeartbeatResponse =>
  Object.assign(create(HeartbeatResponseSchema, { nextInterval: durationFromMs(20) }), over)

const report = (partition: number, state: LaneState, cursor = 0): LaneReport => {
  const id = { uid: 'u1', cluster: 'default', topic: 't', partition }
  return create(LaneReportSchema, { id, epoch: 5n, state, cursor: BigInt(cursor) })
}

/** A worker's session with leases and a control plane that do as the test says. */
function open(intervalMs = 20, lastWordsMs = 0) {
  const heard: HeartbeatRequest[] = []
  const told: string[] = []
  const lanes: LaneReport[] = []
  const control = {
    lease: 'HELD' as 'HELD' | 'GONE' | 'AWAY',
    isValid: true,
    answer: (_request: HeartbeatRequest): HeartbeatResponse => reply(),
    left: 0,
    instances: [] as string[],
  }
  const newLease = (instance: string) => {
    control.instances.push(instance)
    let isTouched = false
    return {
      isValid: () => isTouched && control.isValid,
      touch: async () => {
        if (control.lease === 'AWAY') throw new Error('Redis is away')
        isTouched = control.lease === 'HELD'
        return control.lease
      },
      leave: async () => {
        control.left++
      },
    }
  }
  const holdings = {
    report: () => lanes,
    assign: (given: readonly unknown[]) => told.push(`assign ${given.length}`),
    acknowledge: (given: readonly unknown[]) => given.length > 0 && told.push(`acknowledge ${given.length}`),
    lookAtInboxes: (given: readonly unknown[]) => told.push(`inboxes ${given.length}`),
    suspend: () => told.push('suspend'),
    resume: () => told.push('resume'),
    loseAll: () => told.push('lose all'),
  }
  const client = {
    heartbeat: async (request: HeartbeatRequest) => {
      heard.push(structuredClone(request))
      return control.answer(request)
    },
  }
  const tryOut = (given: readonly unknown[]) => told.push(`try out ${given.length}`)
  const options = { description: 'test', startMs: 0, intervalMs, completeEvery: 10, lastWordsMs, tryOut }
  const opened = new Session(client, newLease as never, 'first', holdings as never, options, silent)
  session = opened
  return { session: opened, heard, told, lanes, control }
}

const mayNow = (of: Session): boolean => of.maySend(performance.now(), Date.now())

describe('the lease of a session', () => {
  test('is what allows to send, from its first touch on', async () => {
    const { session, told } = open()
    expect(mayNow(session)).toBe(false)
    session.start()
    await vi.waitFor(() => expect(mayNow(session)).toBe(true))
    expect(told[0]).toBe('resume')
  })

  test('that is over stops everything at the next look, and a renewal lets it go on', async () => {
    const { session, told, control } = open()
    session.start()
    await vi.waitFor(() => expect(mayNow(session)).toBe(true))
    control.lease = 'AWAY'
    control.isValid = false
    // Before anybody has looked: whoever is first after a freeze asks this.
    expect(mayNow(session)).toBe(false)
    session.check()
    session.check()
    expect(told.filter((each) => each === 'suspend')).toHaveLength(1)
    control.lease = 'HELD'
    control.isValid = true
    await vi.waitFor(() => expect(mayNow(session)).toBe(true))
    expect(told.filter((each) => each === 'resume')).toHaveLength(2)
    expect(told).not.toContain('lose all')
  })

  test('that is gone loses every lane, and the process goes on as another instance', async () => {
    const { session, told, control, heard } = open()
    control.answer = () => reply({ assignmentVersion: 7n, changed: true })
    session.start()
    await vi.waitFor(() => expect(heard.at(-1)?.assignmentVersion).toBe(7n))
    control.lease = 'GONE'
    await vi.waitFor(() => expect(told).toContain('lose all'))
    expect(told.indexOf('suspend')).toBeLessThan(told.indexOf('lose all'))
    control.lease = 'HELD'
    await vi.waitFor(() => expect(mayNow(session)).toBe(true))
    expect(session.instance).not.toBe('first')
    await vi.waitFor(() => expect(heard.some((each) => each.instance === session.instance)).toBe(true))
    const first = heard.find((each) => each.instance === session.instance)!
    expect([first.sequence, first.assignmentVersion, first.complete]).toEqual([1n, 0n, true])
  })

  test('is given back when the worker has drained, and runs out when it has not', async () => {
    const drained = open()
    drained.session.start()
    await drained.session.stop(true)
    expect(drained.control.left).toBe(1)
    const undrained = open()
    undrained.session.start()
    await undrained.session.stop(false)
    expect(undrained.control.left).toBe(0)
  })
})

describe('heartbeats', () => {
  test('tell all lanes first and from time to time, and else what has changed', async () => {
    const { session, heard, lanes } = open()
    lanes.push(report(0, LaneState.RUNNING), report(1, LaneState.RUNNING))
    session.start()
    await vi.waitFor(() => expect(heard.length).toBeGreaterThanOrEqual(3))
    lanes[1] = report(1, LaneState.RUNNING, 50)
    const from = heard.length
    await vi.waitFor(() => expect(heard.slice(from).some((each) => each.complete)).toBe(true))
    expect(heard[0]).toMatchObject({ instance: 'first', sequence: 1n, complete: true, protocolVersion: 1 })
    expect(heard[0]!.lanes).toHaveLength(2)
    expect([heard[1]!.complete, heard[1]!.lanes]).toEqual([false, []])
    const changed = heard.slice(from).find((each) => !each.complete && each.lanes.length > 0)
    expect(changed?.lanes.map((each) => each.id?.partition)).toEqual([1])
  })

  test('repeat what a lost heartbeat told', async () => {
    const { session, heard, lanes, control } = open()
    session.start()
    await vi.waitFor(() => expect(heard.length).toBeGreaterThanOrEqual(2))
    lanes.push(report(0, LaneState.RELEASED))
    let lost = 0
    control.answer = () => {
      if (lost++ === 0) throw new Error('deadline exceeded')
      return reply()
    }
    await vi.waitFor(() => expect(lost).toBeGreaterThan(1), 5000)
    const told = heard.filter((each) => each.lanes.length > 0)
    expect(told.length).toBeGreaterThanOrEqual(2)
  })

  test('bring assignments once per version, acknowledgements and inboxes', async () => {
    const { session, told, heard, control } = open()
    const id = report(0, LaneState.RUNNING).id!
    control.answer = (request) =>
      reply({
        assignmentVersion: 3n,
        changed: request.assignmentVersion !== 3n,
        acknowledged: [{ id, epoch: 5n }] as never,
        inboxes: [id],
      })
    session.start()
    await vi.waitFor(() => expect(heard.length).toBeGreaterThan(2))
    expect(told.filter((each) => each.startsWith('assign'))).toEqual(['assign 0'])
    expect(told).toContain('acknowledge 1')
    expect(told).toContain('inboxes 1')
  })

  test('come at once when something was let go, also while one is on its way', async () => {
    const { session, heard, control } = open()
    const { promise, resolve } = Promise.withResolvers<void>()
    control.answer = () => reply({ nextInterval: durationFromMs(60_000) })
    session.start()
    await vi.waitFor(() => expect(heard).toHaveLength(1))
    session.hurry()
    await vi.waitFor(() => expect(heard).toHaveLength(2))
    control.answer = () => {
      session.hurry()
      resolve()
      return reply({ nextInterval: durationFromMs(60_000) })
    }
    session.hurry()
    await promise
    await vi.waitFor(() => expect(heard.length).toBeGreaterThanOrEqual(4))
  })

  test('stop while there is no lease, so that others may be given the lanes, and come at once when there is one again', async () => {
    const { session, heard, control } = open()
    control.lease = 'AWAY'
    session.start()
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(heard).toHaveLength(0)
    control.lease = 'HELD'
    await vi.waitFor(() => expect(heard.length).toBeGreaterThan(1))
    control.lease = 'AWAY'
    control.isValid = false
    session.check()
    await vi.waitFor(() => expect(mayNow(session)).toBe(false))
    await new Promise((resolve) => setTimeout(resolve, 30))
    const before = heard.length
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(heard).toHaveLength(before)
    control.lease = 'HELD'
    control.isValid = true
    await vi.waitFor(() => expect(heard.length).toBeGreaterThan(before))
  })

  test('go on after the lease for as long as rows of what was sent may take into the log', async () => {
    const { session, heard, control } = open(20, 400)
    session.start()
    await vi.waitFor(() => expect(mayNow(session)).toBe(true))
    control.lease = 'AWAY'
    control.isValid = false
    session.check()
    const endedMs = performance.now()
    const count = heard.length
    let lastMs = 0
    control.answer = () => {
      lastMs = performance.now()
      return reply()
    }
    await vi.waitFor(() => expect(performance.now()).toBeGreaterThan(endedMs + 700), 5000)
    expect(heard.length).toBeGreaterThan(count + 3)
    expect(lastMs - endedMs).toBeLessThan(450)
  })

  test('say that the worker leaves', async () => {
    const { session, heard } = open()
    session.start()
    session.leave()
    await vi.waitFor(() => expect(heard.some((each) => each.draining)).toBe(true))
  })

  test('say that the worker leaves, when an operator wants it out', async () => {
    const { session, heard, control } = open()
    control.answer = () => reply({ drain: heard.length === 1 })
    session.start()
    await vi.waitFor(() => expect(heard.length).toBeGreaterThan(3))
    expect(heard.slice(0, 4).map((each) => each.draining)).toEqual([false, true, true, true])
  })

  test('of a stopped session end soon, whatever the interval', async () => {
    const { session, heard, control } = open(60_000)
    control.answer = () => reply({ nextInterval: durationFromMs(60_000) })
    session.start()
    await vi.waitFor(() => expect(heard).toHaveLength(1))
    const before = performance.now()
    await session.stop(true)
    expect(performance.now() - before).toBeLessThan(2000)
  })
})

import { beforeEach, describe, expect, test } from 'vitest'
import { type LaneId, laneKey } from '../../runtime/lane-keys.ts'
import { FleetCore } from './fleet-core.ts'
import { timings } from './fleet-model.ts'
import type { Heartbeat, HeartbeatReply, LaneReport, ReportedState } from './heartbeat.ts'
import type { FleetUseCase } from './plan.ts'

const wallMs = 1_700_000_000_000
const lane = (partition: number): LaneId => ({ uid: 'u', cluster: 'default', topic: 'orders', partition })
const useCase: FleetUseCase = {
  ...{ uid: 'u', state: 'ACTIVE', revision: 7, maxInFlight: 10, parkedMax: 100, parkedBytesMax: 1001 },
  isRateLimited: false,
  member: undefined,
}
const report = (partition: number, epoch: number, state: ReportedState, more: Partial<LaneReport> = {}): LaneReport => ({
  ...{ id: lane(partition), key: laneKey(lane(partition)), epoch, state, condition: 0, message: '', cursor: 0, floor: 0 },
  ...{
    endOffset: -1,
    parked: 0,
    releasedVersion: 0,
    seenEpoch: 0,
    revision: 1,
    rateSharePpm: 0,
    liveDemandPpm: 0,
    reportTimeMs: 0,
    ...more,
  },
})

let core: FleetCore
let nowMs: number
const sequences = new Map<string, number>()

beforeEach(() => {
  core = new FleetCore({ ...timings, gatherMs: 0 }, 1000)
  core.setUseCases(new Map([['u', useCase]]))
  nowMs = 0
  sequences.clear()
})

/** Lanes that nobody has held yet. */
function newLanes(count: number): void {
  for (let partition = 0; partition < count; partition++) {
    core.table.add(laneKey(lane(partition)), lane(partition))
    core.resolve(laneKey(lane(partition)), { epoch: 0, holder: undefined, releasedVersion: 1, notBeforeMs: 0 })
  }
}

function beat(instance: string, more: Partial<Heartbeat> = {}): HeartbeatReply {
  const sequence = more.sequence ?? (sequences.get(instance) ?? 0) + 1
  sequences.set(instance, sequence)
  const own = { instance, sequence, description: '', startTimeMs: 0, draining: false, lanes: [], complete: true }
  const given = { ...own, assignmentVersion: core.workers.get(instance)?.listVersion ?? 0, ...more }
  const heard = core.hear(given, nowMs, wallMs + nowMs)
  if (heard?.calls) step()
  return core.reply(heard === undefined ? '' : instance, given.assignmentVersion, heard?.acknowledged ?? [])
}

function step(): void {
  core.granted(core.step(nowMs, wallMs + nowMs))
}

const holding = (partition: number) => core.table.get(laneKey(lane(partition)))!.holding

describe('what a worker is told', () => {
  test('is its lanes with their shares, until it works by them', () => {
    newLanes(2)
    beat('x')
    const reply = beat('x', { assignmentVersion: 0 })
    expect(reply.assignments).toEqual([
      {
        ...{
          id: lane(0),
          epoch: wallMs,
          revision: 7,
          releasedVersion: 1,
          maxInFlight: 10,
          rateSharePpm: 0,
          endpointGroup: undefined,
        },
        ...{ parkedMax: 50, parkedBytesMax: 501, creditMax: 50 },
      },
      {
        ...{
          id: lane(1),
          epoch: wallMs,
          revision: 7,
          releasedVersion: 1,
          maxInFlight: 10,
          rateSharePpm: 0,
          endpointGroup: undefined,
        },
        ...{ parkedMax: 50, parkedBytesMax: 500, creditMax: 50 },
      },
    ])
    expect(beat('x', { assignmentVersion: reply.assignmentVersion }).assignments).toBeUndefined()
  })

  test('grows in version when a definition changes, and only then', () => {
    newLanes(1)
    beat('x')
    const before = beat('x').assignmentVersion
    step()
    expect(beat('x').assignmentVersion).toBe(before)
    core.setUseCases(new Map([['u', { ...useCase, revision: 8 }]]))
    step()
    const after = beat('x', { assignmentVersion: before })
    expect(after.assignmentVersion).toBeGreaterThan(before)
    expect(after.assignments![0]!.revision).toBe(8)
  })

  test('is nothing before it has told all its lanes', () => {
    newLanes(1)
    const reply = beat('x', { complete: false, assignmentVersion: 77 })
    expect(reply).toMatchObject({ assignments: undefined, assignmentVersion: 77, sendComplete: true })
    step()
    expect(holding(0).state).toBe('FREE')
  })

  test('is to tell all again after heartbeats were lost', () => {
    beat('x')
    expect(beat('x', { complete: false }).sendComplete).toBe(false)
    expect(beat('x', { complete: false, sequence: 5 }).sendComplete).toBe(true)
    expect(beat('x', { complete: false, sequence: 6 }).sendComplete).toBe(true)
    expect(beat('x', { sequence: 7 }).sendComplete).toBe(false)
  })

  test('is nothing new when its heartbeat came late', () => {
    newLanes(1)
    beat('x', { sequence: 5 })
    beat('x', { sequence: 6 })
    const epoch = wallMs
    expect(beat('x', { sequence: 4, lanes: [report(0, epoch, 'LOST')], assignmentVersion: 3 })).toMatchObject({
      ...{ assignments: undefined, assignmentVersion: 3, acknowledged: [] },
    })
    expect(holding(0)).toMatchObject({ state: 'GIVEN', epoch })
  })

  test('is its list when it works by one of another leader', () => {
    newLanes(1)
    beat('x')
    expect(beat('x', { assignmentVersion: 5 }).assignments).toHaveLength(1)
    expect(beat('x', { assignmentVersion: 999_999_999 }).assignments).toHaveLength(1)
  })

  test('names an inbox three times, so that a lost reply is no loss', () => {
    newLanes(1)
    beat('x')
    core.markInbox(laneKey(lane(0)))
    for (const times of [1, 1, 1, 0]) expect(beat('x').inboxes).toHaveLength(times)
  })
})

describe('what a worker has let go of', () => {
  test('is acknowledged, whichever epoch it had', () => {
    newLanes(1)
    beat('x')
    const { acknowledged } = beat('x', { lanes: [report(0, wallMs, 'RUNNING'), report(0, 5, 'LOST')] })
    expect(acknowledged).toEqual([{ id: lane(0), epoch: 5 }])
    expect(holding(0)).toMatchObject({ state: 'GIVEN', epoch: wallMs })
  })

  test('must be told again while the leader has not read who holds the lane', () => {
    core.table.add(laneKey(lane(0)), lane(0))
    const reply = beat('x', { lanes: [report(0, 5, 'RELEASED', { releasedVersion: 9 })] })
    expect(reply).toMatchObject({ acknowledged: [], sendComplete: true })
    core.resolve(laneKey(lane(0)), { epoch: 5, holder: 'x', releasedVersion: 0, notBeforeMs: 0 })
    expect(beat('x', { lanes: [report(0, 5, 'RELEASED', { releasedVersion: 9 })] }).acknowledged).toHaveLength(1)
    expect(holding(0)).toMatchObject({ state: 'GIVEN', releasedVersion: 9 })
  })

  test('is given out with an epoch above the one that Redis showed it', () => {
    newLanes(1)
    beat('x')
    beat('x', { lanes: [report(0, wallMs, 'LOST', { seenEpoch: wallMs + 5000 })] })
    expect(holding(0)).toMatchObject({ state: 'GIVEN', epoch: wallMs + 5001 })
  })

  test('is given out later and later when it is lost again and again, and at once when it ran', () => {
    newLanes(1)
    beat('x')
    const lose = (): void => {
      const { epoch } = holding(0) as { epoch: number }
      beat('x', { lanes: [report(0, epoch, 'LOST')] })
    }
    lose()
    expect(holding(0).state).toBe('GIVEN')
    lose()
    expect(holding(0).state).toBe('FREE')
    nowMs += 250
    step()
    expect(holding(0).state).toBe('GIVEN')
    lose()
    nowMs += 250
    step()
    expect(holding(0).state).toBe('FREE')
    nowMs += 250
    step()
    beat('x', { lanes: [report(0, (holding(0) as { epoch: number }).epoch, 'RUNNING')] })
    lose()
    expect(holding(0).state).toBe('GIVEN')
  })

  test('is not given out when no epoch is left for it', () => {
    newLanes(1)
    beat('x')
    beat('x', { lanes: [report(0, wallMs, 'LOST', { seenEpoch: Number.MAX_SAFE_INTEGER })] })
    expect(holding(0).state).toBe('FREE')
    expect(core.table.get(laneKey(lane(0)))!.problem).toMatch(/none is left/)
  })
})

describe('a worker that is silent', () => {
  test('is suspected when it holds lanes, keeps them until it is expelled, and gets no others', () => {
    newLanes(2)
    beat('x')
    nowMs += timings.heartbeatTimeoutMs
    beat('y')
    expect(core.suspects(nowMs)).toEqual(['x'])
    step()
    expect([holding(0), holding(1)]).toMatchObject([
      { state: 'GIVEN', instance: 'x' },
      { state: 'GIVEN', instance: 'x' },
    ])
    core.expelled('x', nowMs)
    step()
    expect([holding(0), holding(1)]).toMatchObject([
      { state: 'GIVEN', instance: 'y' },
      { state: 'GIVEN', instance: 'y' },
    ])
    expect(core.hear({ ...beatOf('x'), sequence: 99 }, nowMs, wallMs)).toBeUndefined()
  })

  test('is forgotten when it holds none', () => {
    beat('x')
    beat('y', { draining: true })
    nowMs += timings.heartbeatTimeoutMs
    step()
    expect(core.workers.all()).toEqual([])
  })
})

const beatOf = (instance: string): Heartbeat => ({
  ...{ instance, sequence: 1, description: '', startTimeMs: 0, draining: false, lanes: [], complete: true, assignmentVersion: 0 },
})

test('while lanes move, the shares of max_in_flight are those of all that may be sending', () => {
  newLanes(4)
  beat('x')
  beat('y')
  const shares = (): number[] => ['x', 'y'].map((instance) => core.workers.get(instance)!.list[0]?.maxInFlight ?? 0)
  // x holds all four and is to let go of two: y has none yet.
  expect(core.workers.get('x')!.list).toHaveLength(2)
  expect(shares()).toEqual([10, 0])
  const moved = [0, 1, 2, 3].filter((partition) => holding(partition).state === 'LEAVING')
  const release = (partition: number): LaneReport => report(partition, wallMs, 'RELEASED', { releasedVersion: 2 })
  const rest = [0, 1, 2, 3]
    .filter((partition) => !moved.includes(partition))
    .map((partition) => report(partition, wallMs, 'RUNNING'))
  beat('x', { lanes: [...rest, release(moved[0]!), report(moved[1]!, wallMs, 'DRAINING')] })
  expect(shares()).toEqual([8, 2])
  beat('x', { lanes: [...rest, release(moved[1]!)] })
  expect(shares()).toEqual([5, 5])
})

test('a share of a rate limit grows only when the others have said that they work by smaller ones', () => {
  core.setUseCases(new Map([['u', { ...useCase, isRateLimited: true }]]))
  newLanes(2)
  const told = (instance: string) => core.workers.get(instance)!.list.map((each) => each.rateSharePpm)
  const versionOf = (instance: string): number => core.workers.get(instance)!.listVersion
  beat('x')
  beat('x', { lanes: [report(0, wallMs, 'RUNNING'), report(1, wallMs, 'RUNNING')] })
  expect(told('x')).toEqual([1_000_000, 1_000_000])
  beat('y')
  // y is to have one of the lanes; x still holds both, then lets go of it.
  const before = versionOf('x')
  const moved = holding(0).state === 'LEAVING' ? 0 : 1
  const stays = report(1 - moved, wallMs, 'RUNNING', { rateSharePpm: 1_000_000 })
  beat('x', { lanes: [stays, report(moved, wallMs, 'RELEASED', { releasedVersion: 2 })], assignmentVersion: before })
  expect([told('x'), told('y')]).toEqual([[500_000], [0]])
  // It has not heard of its smaller share.
  beat('x', { lanes: [stays], assignmentVersion: before })
  expect(told('y')).toEqual([0])
  beat('x', { lanes: [{ ...stays, rateSharePpm: 500_000 }], assignmentVersion: versionOf('x') })
  expect([told('x'), told('y')]).toEqual([[500_000], [500_000]])
  // Without a limit there is nothing to be shared.
  core.setUseCases(new Map([['u', useCase]]))
  step()
  expect([told('x'), told('y')]).toEqual([[0], [0]])
})

test('a new leader gives nobody more of a rate limit than the workers say is free', () => {
  core.setUseCases(new Map([['u', { ...useCase, isRateLimited: true }]]))
  for (const [partition, holder] of ['x', 'y'].entries()) {
    core.table.add(laneKey(lane(partition)), lane(partition))
    core.resolve(laneKey(lane(partition)), { epoch: 5, holder, releasedVersion: 0, notBeforeMs: 0 })
  }
  const told = (instance: string) => core.workers.get(instance)!.list.map((each) => each.rateSharePpm)
  // x may have any share as long as it is not heard.
  beat('y', { lanes: [report(1, 5, 'RUNNING', { rateSharePpm: 200_000 })] })
  expect(told('y')).toEqual([200_000])
  beat('x', { lanes: [report(0, 5, 'RUNNING', { rateSharePpm: 700_000 })], assignmentVersion: 7 })
  expect([told('x'), told('y')]).toEqual([[500_000], [300_000]])
  beat('x', { lanes: [report(0, 5, 'RUNNING', { rateSharePpm: 500_000 })] })
  step()
  expect([told('x'), told('y')]).toEqual([[500_000], [500_000]])
})

test('a fleet is full when as many workers are heard as may be, until one of them is gone', () => {
  core = new FleetCore({ ...timings, gatherMs: 0, workersMax: 2 }, 1000)
  beat('x')
  expect(core.isFull).toBe(false)
  beat('y')
  expect(core.isFull).toBe(true)
  nowMs += timings.heartbeatTimeoutMs
  beat('x')
  step()
  expect(core.isFull).toBe(false)
})

import { describe, expect, test } from 'vitest'
import { LaneState as State } from '../proto/gen/ferry/v1/lane_pb.ts'
import { type DrainParts, drain } from './drain.ts'

const keeper = (state: State, over: object = {}) => ({
  state,
  key: 'u1/default/t/0',
  get held(): boolean {
    return this.state === State.RUNNING || this.state === State.DRAINING
  },
  lane: { inFlight: 0, rowsOut: 0 },
  troubles: { first: { message: '' } },
  ...over,
})

/** A worker with one lane; `then` says what becomes of it. */
function worker(then: (state: { keepers: ReturnType<typeof keeper>[]; logIsBusy: boolean }) => void, over: object = {}) {
  const state = { keepers: [Object.assign(keeper(State.RUNNING), over)], logIsBusy: false, left: [] as string[] }
  const parts = {
    held: {
      get keepers() {
        return state.keepers
      },
      leave: () => {
        state.left.push('lanes')
        state.keepers[0]!.state = State.DRAINING
        setTimeout(() => then(state), 5)
      },
    },
    session: { leave: () => state.left.push('session') },
    logs: [
      {
        get busy() {
          return state.logIsBusy
        },
      },
    ],
  } as unknown as DrainParts
  return { state, parts }
}

const options = { timeoutMs: 200, unheardMs: 100 }

describe('a worker that is told to stop', () => {
  test('is drained when its lanes are released and the control plane has heard of it', async () => {
    const { state, parts } = worker((all) => {
      all.keepers = []
    })
    expect(await drain(parts, options)).toEqual([])
    expect(state.left).toEqual(['session', 'lanes'])
  })

  test('is drained a moment after its lanes are released, when no control plane answers', async () => {
    const { parts } = worker((all) => {
      all.keepers[0]!.state = State.RELEASED
    })
    const before = performance.now()
    expect(await drain(parts, options)).toEqual([])
    expect(performance.now() - before).toBeGreaterThan(90)
  })

  test('need not be heard about lanes that it has lost, but inserts their rows', async () => {
    const { parts } = worker((all) => {
      all.keepers[0]!.state = State.LOST
      all.logIsBusy = true
    })
    expect(await drain(parts, options)).toEqual([
      'neither ClickHouse nor the spool has taken the last rows of lanes that were lost',
    ])
  })

  test('gives up after its time, and says what keeps each lane', async () => {
    const rows = worker(() => {}, { lane: { inFlight: 1, rowsOut: 30 } })
    expect(await drain(rows.parts, options)).toEqual([
      'u1/default/t/0: 1 requests are on the way; neither ClickHouse nor the spool has taken 30 rows',
    ])
    const redis = worker(() => {}, { troubles: { first: { message: 'Redis: Error: Command timed out' } } })
    expect(await drain(redis.parts, options)).toEqual(['u1/default/t/0: Redis: Error: Command timed out'])
    const silent = worker(() => {})
    expect(await drain(silent.parts, options)).toEqual(['u1/default/t/0: Redis has not taken its last checkpoint'])
  })
})

import { describe, expect, test } from 'vitest'
import { explore, type System } from './explore.ts'

/** Numbers from 0; a step adds 1, 3 or takes a fault to 100; 4 is wrong, above 9 nothing happens. */
const counter = (over: Partial<System> = {}): System => ({
  first: () => '0',
  steps: (state, emit) => {
    const at = Number(state)
    if (at > 9) return
    for (const by of [1, 3]) emit(`add ${by}`, `${at + by}`, '', false)
    emit('stay', state, '', false)
  },
  atRest: () => '',
  ...over,
})
const limits = { statesMax: 1000, timeMsMax: 10_000 }

describe('an exploration', () => {
  test('sees every state once, and ends where nothing happens any more', () => {
    const verdict = explore(counter(), limits)
    expect(verdict).toMatchObject({ states: 13, ends: 3, isComplete: true, violation: '', trace: [] })
  })

  test('finds what is wrong by the shortest way', () => {
    const system = counter()
    const steps: System['steps'] = (state, emit) =>
      system.steps(state, (name, next, _wrong, isFault) => emit(name, next, next === '7' ? 'seven' : '', isFault))
    const { violation, trace } = explore(counter({ steps }), limits)
    expect(violation).toBe('seven')
    expect(trace).toHaveLength(3)
  })

  test('finds an end that is none', () => {
    const { violation, trace } = explore(counter({ atRest: (state) => (state === '11' ? 'eleven' : '') }), limits)
    expect([violation, trace.length]).toEqual(['eleven', 5])
  })

  test('finds states from which no good end is reached without another fault', () => {
    const loop: System['steps'] = (state, emit) => {
      if (state === '0') {
        emit('fall', '1', '', true)
        emit('end', '9', '', false)
      } else if (state !== '9') {
        emit('turn', state === '1' ? '2' : '1', '', false)
        emit('luck', '9', '', true)
      }
    }
    const { violation, trace } = explore(counter({ steps: loop }), limits)
    expect(violation).toMatch(/^I2/)
    expect(trace).toEqual(['fall'])
  })

  test('that was stopped says that it is not complete', () => {
    expect(explore(counter(), { ...limits, statesMax: 3 })).toMatchObject({ isComplete: false, violation: '' })
  })
})

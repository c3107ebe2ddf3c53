import { describe, expect, test } from 'vitest'
import { laneOrigin } from './lane-origin.ts'

const head = { epoch: 3, owner: 'x', cursor: 5 }
const worked = { start: 4, hasEnds: true }
const registered = { start: 4, hasEnds: false }

describe('where a lane goes on', () => {
  test('from Redis, whatever the others say', () => {
    for (const logged of [undefined, worked, registered]) {
      for (const groupOffset of [undefined, 4]) expect(laneOrigin({ head, groupOffset, logged })).toEqual({ kind: 'READY' })
    }
  })

  test('from the group when Redis has lost it and the log has ends, or the group has moved', () => {
    expect(laneOrigin({ head: undefined, groupOffset: 9, logged: worked })).toEqual({ kind: 'READY' })
    expect(laneOrigin({ head: undefined, groupOffset: 9, logged: registered })).toEqual({ kind: 'READY' })
    expect(laneOrigin({ head: undefined, groupOffset: 9, logged: { start: undefined, hasEnds: true } })).toEqual({
      kind: 'READY',
    })
  })

  test('from its registration when nothing has happened since', () => {
    expect(laneOrigin({ head: undefined, groupOffset: 4, logged: undefined })).toEqual({ kind: 'BEGUN', start: 4 })
    expect(laneOrigin({ head: undefined, groupOffset: 4, logged: registered })).toEqual({ kind: 'BEGUN', start: 4 })
    expect(laneOrigin({ head: undefined, groupOffset: undefined, logged: registered })).toEqual({ kind: 'BEGUN', start: 4 })
  })

  test('is an operator to say when only the log knows that it has worked', () => {
    expect(laneOrigin({ head: undefined, groupOffset: undefined, logged: worked })).toEqual({ kind: 'NEEDS_DECISION' })
    const withoutStart = { start: undefined, hasEnds: true }
    expect(laneOrigin({ head: undefined, groupOffset: undefined, logged: withoutStart })).toEqual({ kind: 'NEEDS_DECISION' })
  })

  test('is new when nobody knows it', () => {
    expect(laneOrigin({ head: undefined, groupOffset: undefined, logged: undefined })).toEqual({ kind: 'NEW' })
  })
})

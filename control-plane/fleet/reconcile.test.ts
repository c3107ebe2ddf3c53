import { describe, expect, test } from 'vitest'
import { afterExpel, afterSilenceAbout, afterWord, type Holding, leaveOut, nextEpoch } from './reconcile.ts'

const unknown: Holding = { state: 'UNKNOWN' }
const free: Holding = { state: 'FREE', releasedVersion: 3 }
const inherited: Holding = { state: 'INHERITED', instance: 'x', epoch: 10 }
const granting: Holding = { state: 'GRANTING', instance: 'x', epoch: 10, releasedVersion: 3 }
const given: Holding = { state: 'GIVEN', instance: 'x', epoch: 10, releasedVersion: 3 }
const leaving: Holding = { state: 'LEAVING', instance: 'x', epoch: 10, sinceVersion: 50 }
const all = [unknown, free, inherited, granting, given, leaving]

const nextVersion = 60
const says = (holding: Holding, instance: string, word: 'HOLDS' | 'RELEASED' | 'LOST', epoch: number): Holding =>
  afterWord(
    holding,
    instance,
    word === 'RELEASED' ? { says: word, epoch, releasedVersion: 7 } : { says: word, epoch },
    10,
    nextVersion,
  )

describe('a lane is free only when nobody can hold it', () => {
  test('its holder let go of it with the epoch that it was given', () => {
    for (const holding of [inherited, given, leaving]) {
      expect(says(holding, 'x', 'RELEASED', 10)).toEqual({ state: 'FREE', releasedVersion: 7 })
      expect(says(holding, 'x', 'LOST', 10)).toEqual({ state: 'FREE', releasedVersion: 0 })
    }
  })

  test('a release of another epoch changes nothing, whoever tells it', () => {
    for (const holding of all) {
      for (const word of ['RELEASED', 'LOST'] as const) {
        expect(says(holding, 'x', word, 9)).toBe(holding)
        expect(says(holding, 'x', word, 11)).toBe(holding)
      }
    }
  })

  test('what others than its holder say of it changes nothing', () => {
    for (const holding of [inherited, granting, given, leaving]) {
      for (const word of ['HOLDS', 'RELEASED', 'LOST'] as const) expect(says(holding, 'y', word, 10)).toBe(holding)
      expect(afterSilenceAbout(holding, 'y', 99, nextVersion)).toBe(holding)
      expect(afterExpel(holding, 'y')).toBe(holding)
    }
  })

  test('its holder is expelled', () => {
    for (const holding of [inherited, granting, given, leaving]) {
      expect(afterExpel(holding, 'x')).toEqual({ state: 'FREE', releasedVersion: 0 })
    }
  })

  test('its holder works by a list without it and does not tell of it', () => {
    expect(afterSilenceAbout(leaving, 'x', 50, nextVersion)).toEqual({ state: 'FREE', releasedVersion: 0 })
    expect(afterSilenceAbout(leaving, 'x', 49, nextVersion)).toBe(leaving)
  })

  test('not when a worker that was given it has not begun, or may have been given it by a leader before', () => {
    expect(afterSilenceAbout(given, 'x', 99, nextVersion)).toBe(given)
    expect(afterSilenceAbout(inherited, 'x', 99, nextVersion)).toEqual({
      ...{ state: 'LEAVING', instance: 'x', epoch: 10, sinceVersion: nextVersion },
    })
  })
})

describe('a lane that a worker holds', () => {
  test('is kept by a new leader with its epoch', () => {
    expect(says(inherited, 'x', 'HOLDS', 10)).toEqual({ state: 'GIVEN', instance: 'x', epoch: 10, releasedVersion: 0 })
    expect(says(free, 'y', 'HOLDS', 10)).toEqual({ state: 'GIVEN', instance: 'y', epoch: 10, releasedVersion: 0 })
  })

  test('is to be let go when another epoch was seen', () => {
    expect(says(inherited, 'x', 'HOLDS', 9)).toMatchObject({ state: 'LEAVING', instance: 'x', epoch: 9 })
    expect(says(free, 'y', 'HOLDS', 9)).toMatchObject({ state: 'LEAVING', instance: 'y', epoch: 9 })
  })

  test('changes nothing before the leader has read it, or while it is being given away', () => {
    expect(says(unknown, 'x', 'HOLDS', 10)).toBe(unknown)
    expect(says(granting, 'x', 'HOLDS', 10)).toBe(granting)
  })

  test('is left out of the next list, and not twice', () => {
    const left = leaveOut(given, nextVersion)
    expect(left).toEqual({ state: 'LEAVING', instance: 'x', epoch: 10, sinceVersion: nextVersion })
    for (const holding of [unknown, free, inherited, granting, left]) expect(leaveOut(holding, 99)).toBe(holding)
  })
})

describe('nextEpoch', () => {
  test('is above every epoch seen and at least the clock', () => {
    expect(nextEpoch(1000.7, 0)).toBe(1000)
    expect(nextEpoch(1000, 1000)).toBe(1001)
    expect(nextEpoch(1000, 5000)).toBe(5001)
  })

  test('is none when a double would not hold it exactly', () => {
    expect(nextEpoch(0, 2 ** 53 - 3)).toBe(2 ** 53 - 2)
    expect(nextEpoch(0, 2 ** 53 - 2)).toBeUndefined()
    expect(nextEpoch(0, 2 ** 60)).toBeUndefined()
  })
})

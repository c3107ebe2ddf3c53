import { expect, test } from 'vitest'
import { possibleHolder } from './found-lane.ts'

test('a lane may be held by the last one that it was given to, claimed or not', () => {
  expect(possibleHolder({ epoch: 5, owner: 'x' }, { epoch: 7, instance: 'y' })).toEqual({ epoch: 7, holder: 'y' })
  expect(possibleHolder({ epoch: 7, owner: 'y' }, { epoch: 7, instance: 'y' })).toEqual({ epoch: 7, holder: 'y' })
  expect(possibleHolder({ epoch: 0, owner: '' }, { epoch: 7, instance: 'y' })).toEqual({ epoch: 7, holder: 'y' })
  expect(possibleHolder(undefined, { epoch: 7, instance: 'y' })).toEqual({ epoch: 7, holder: 'y' })
})

test('or by its owner, when Redis has lost who it was given to', () => {
  expect(possibleHolder({ epoch: 9, owner: 'x' }, { epoch: 7, instance: 'y' })).toEqual({ epoch: 9, holder: 'x' })
  expect(possibleHolder({ epoch: 9, owner: 'x' }, undefined)).toEqual({ epoch: 9, holder: 'x' })
})

test('or by nobody', () => {
  expect(possibleHolder({ epoch: 0, owner: '' }, undefined)).toEqual({ epoch: 0, holder: undefined })
  expect(possibleHolder(undefined, undefined)).toEqual({ epoch: 0, holder: undefined })
})

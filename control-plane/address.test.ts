import { hostname } from 'node:os'
import { expect, test } from 'vitest'
import { advertisedAddress, hostAndPort, withPort } from './address.ts'

test('an address is taken apart, brackets and all', () => {
  expect(hostAndPort('127.0.0.1:7070')).toEqual({ host: '127.0.0.1', port: 7070 })
  expect(hostAndPort('[::1]:0')).toEqual({ host: '::1', port: 0 })
  expect(withPort('[::1]:0', 7070)).toBe('[::1]:7070')
})

test('others are told where they really reach this one', () => {
  expect(advertisedAddress('', '127.0.0.1:0', 4711)).toBe('127.0.0.1:4711')
  expect(advertisedAddress('', '0.0.0.0:7070', undefined)).toBe(`${hostname()}:7070`)
  expect(advertisedAddress('', '[::]:0', 4711)).toBe(`${hostname()}:4711`)
  expect(advertisedAddress('ferry-0.ferry:7070', '0.0.0.0:7070', 7070)).toBe('ferry-0.ferry:7070')
})

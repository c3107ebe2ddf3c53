import { describe, expect, test } from 'vitest'
import { readClusterAddress } from './redis-address.ts'

describe('the address of Redis', () => {
  test('a plain URL is a single server', () => {
    expect(readClusterAddress('redis://127.0.0.1:6379')).toBeUndefined()
    expect(readClusterAddress('rediss://user:secret@redis.example:6380/0')).toBeUndefined()
  })

  test('redis+cluster names nodes to start from', () => {
    expect(readClusterAddress('redis+cluster://a.example:7000,[::1]:7001')).toEqual({
      nodes: [
        { host: 'a.example', port: 7000 },
        { host: '::1', port: 7001 },
      ],
      ...{ username: undefined, password: undefined, isSecure: false },
    })
  })

  test('user and password hold for all nodes', () => {
    const address = readClusterAddress('rediss+cluster://ferry:s%40fe@a:7000/')
    expect(address).toMatchObject({ username: 'ferry', password: 's@fe', isSecure: true, nodes: [{ host: 'a', port: 7000 }] })
    expect(readClusterAddress('redis+cluster://:secret@a:7000')).toMatchObject({ username: undefined, password: 'secret' })
  })

  test.each(['', 'http://a:80', 'redis+cluster://', 'redis+cluster://a', 'redis+cluster://a:7000,b', 'redis+cluster://a:70000'])(
    '%j is refused with what would be right',
    (url) => {
      expect(() => readClusterAddress(url)).toThrow('redis+cluster://host:port,host:port')
    },
  )
})

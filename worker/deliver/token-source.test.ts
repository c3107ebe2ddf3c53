import { expect, test } from 'vitest'
import { LaneCondition } from '../../proto/gen/ferry/v1/lane_pb.ts'
import { TokenSource } from './token-source.ts'

/** A source whose fetches are answered by hand. */
function sourceOf() {
  const fetches: { resolve: (value: string, lifetimeMs?: number) => Promise<void>; reject: (error: Error) => Promise<void> }[] =
    []
  const source = new TokenSource(
    () =>
      new Promise((resolve, reject) => {
        fetches.push({
          resolve: async (value, lifetimeMs = 600_000) => {
            resolve({ value, lifetimeMs })
            await settled()
          },
          reject: async (error) => {
            reject(error)
            await settled()
          },
        })
      }),
  )
  const header = (): string => source.header
  return { source, fetches, header }
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

test('all requests that wait ask for one token, and go when it is there', async () => {
  const { source, fetches, header } = sourceOf()
  expect([source.ready(0), source.ready(0), source.ready(1)]).toEqual([false, false, false])
  expect(fetches).toHaveLength(1)
  await fetches[0]!.resolve('one')
  expect(source.ready(2)).toBe(true)
  expect(header()).toBe('Bearer one')
})

test('a token is fetched anew before it expires, while the old one goes on, and is not used after', async () => {
  const { source, fetches, header } = sourceOf()
  source.ready(0)
  await fetches[0]!.resolve('one', 600_000)
  expect([source.ready(539_999), fetches.length]).toEqual([true, 1])
  expect([source.ready(540_001), fetches.length]).toEqual([true, 2])
  expect(source.ready(595_001)).toBe(false)
  await fetches[1]!.resolve('two')
  expect(source.ready(595_002)).toBe(true)
  expect(header()).toBe('Bearer two')
})

test('a token that has worked and is refused is fetched once for all, and costs nobody a retry', async () => {
  const { source, fetches } = sourceOf()
  source.ready(0)
  await fetches[0]!.resolve('one')
  expect(source.refuses(200, 'Bearer one', 1)).toBe(false)
  expect(source.refuses(401, 'Bearer one', 2)).toBe(true)
  expect(source.refuses(401, 'Bearer one', 3), 'a request that was on its way').toBe(true)
  expect(source.ready(4)).toBe(false)
  await fetches[1]!.resolve('two')
  expect(source.refuses(401, 'Bearer one', 5), 'a late one').toBe(true)
  expect(source.ready(6)).toBe(true)
  expect(fetches).toHaveLength(2)
})

test('a new token that is refused at once is an answer like any other', async () => {
  const { source, fetches } = sourceOf()
  source.ready(0)
  await fetches[0]!.resolve('one')
  expect(source.refuses(401, 'Bearer one', 1)).toBe(false)
  expect(source.refuses(401, 'Bearer one', 60_001), 'after a minute it may have been taken back').toBe(true)
})

test('while none can be had the reason is there, and the next fetch waits', async () => {
  const { source, fetches } = sourceOf()
  const now = performance.now()
  source.ready(now)
  await fetches[0]!.reject(new Error('the server answered 503'))
  expect(source.trouble).toEqual({
    condition: LaneCondition.CREDENTIALS_UNAVAILABLE,
    message: 'no OAuth 2 token: the server answered 503',
  })
  expect([source.ready(now + 500), fetches.length]).toEqual([false, 1])
  expect([source.ready(now + 2000), fetches.length]).toEqual([false, 2])
  await fetches[1]!.resolve('one')
  expect(source.trouble).toBeUndefined()
  expect(source.ready(now + 2001)).toBe(true)
})

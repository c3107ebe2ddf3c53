import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { laneKey } from '../../runtime/lane-keys.ts'
import { type Command, commands, lanes, World } from './model-world.ts'

const stories = (maxLength: number): fc.Arbitrary<Command[]> => fc.array(commands, { maxLength, size: 'max' })

/** Long enough for every lease to end and every pause to pass. */
function settle(world: World, complete: boolean): void {
  for (const worker of world.workers) worker.isFrozen = false
  // Those whose lease has ended meanwhile learn of it, and leave room for one that joins.
  world.round(400, -1, true, complete)
  world.join()
  for (let step = 0; step < 60; step++) world.round(400, -1, true, complete)
}

describe('the fleet', () => {
  test('no lane is ever held by two workers whose leases have not ended', () => {
    fc.assert(
      fc.property(stories(120), (story) => {
        const world = new World()
        for (const command of story) {
          world.run(command)
          for (const id of lanes) expect(world.holdersOf(id).length).toBeLessThanOrEqual(1)
        }
      }),
      { numRuns: 700 },
    )
  })

  test('the requests that workers may have on the way stay within the limit of their use case', () => {
    fc.assert(
      fc.property(stories(80), (story) => {
        const world = new World()
        for (const command of story) {
          world.run(command)
          for (const [uid, { maxInFlight }] of world.useCases) {
            const shares = world.leader.core.workers
              .all()
              .flatMap((worker) => worker.list.find((each) => each.id.uid === uid)?.maxInFlight ?? [])
            const sum = shares.reduce((total, share) => total + share, 0)
            expect(sum).toBeLessThanOrEqual(Math.max(maxInFlight, shares.length))
          }
        }
      }),
      { numRuns: 200 },
    )
  })

  test('what workers may send by of a rate limit never comes to more than the whole of it', () => {
    fc.assert(
      fc.property(stories(120), (story) => {
        const world = new World()
        for (const command of story) {
          world.run(command)
          const senders = world.workers.filter((worker) => worker.isAlive && world.nowMs < worker.leaseUntilMs)
          for (const uid of ['a', 'b'])
            expect(senders.reduce((sum, worker) => sum + worker.ratePpm(uid), 0)).toBeLessThanOrEqual(1_000_000)
        }
      }),
      { numRuns: 500 },
    )
  })

  test('nor of the limits of an endpoint group, whatever its LIVE lanes ask for', () => {
    fc.assert(
      fc.property(stories(120), (story) => {
        const world = new World(true)
        for (const command of story) {
          world.run(command)
          const senders = world.workers.filter((worker) => worker.isAlive && world.nowMs < worker.leaseUntilMs)
          // A worker has one share for both.
          const shares = senders.map((worker) => Math.max(worker.ratePpm('a'), worker.ratePpm('b')))
          expect(shares.reduce((sum, share) => sum + share, 0)).toBeLessThanOrEqual(1_000_000)
        }
      }),
      { numRuns: 300 },
    )
  })

  test('when the faults end, each soon has of a group what its LIVE lanes ask for, and the rest by lanes that are BACKFILL', () => {
    fc.assert(
      fc.property(stories(60), fc.array(fc.constantFrom(0, 100_000, 1_000_000), { minLength: 10 }), (story, demands) => {
        const world = new World(true)
        for (const command of story) world.run(command)
        for (const uid of ['a', 'b']) world.setState(uid, 'ACTIVE')
        for (const [at, worker] of world.workers.entries()) worker.demandPpm = demands[at % demands.length]!
        settle(world, false)
        const held = (uid: string, worker: (typeof world.workers)[0]) =>
          lanes.filter((id) => id.uid === uid && world.holdersOf(id)[0] === worker).length
        const senders = world.workers.filter((each) => each.canAct)
        const asked = senders.map((worker) => (held('a', worker) > 0 ? worker.demandPpm : 0))
        const total = asked.reduce((sum, each) => sum + each, 0)
        const shrink = Math.min(1, 950_000 / Math.max(1, total))
        const rest = 1_000_000 - total * shrink
        for (const [at, worker] of senders.entries()) {
          const ready = (0.1 * rest * held('a', worker)) / 3 + (0.9 * rest * held('b', worker)) / 3
          const share = worker.ratePpm('a') || worker.ratePpm('b')
          expect(Math.abs(share - (asked[at]! * shrink + ready))).toBeLessThan(2)
        }
      }),
      { numRuns: 100 },
    )
  })

  test('when the faults end, each soon has the share of a rate limit that its lanes ask for', () => {
    fc.assert(
      fc.property(stories(80), (story) => {
        const world = new World()
        for (const command of story) world.run(command)
        for (const uid of ['a', 'b']) world.setState(uid, 'ACTIVE')
        settle(world, false)
        for (const uid of ['a', 'b']) {
          for (const worker of world.workers.filter((each) => each.canAct)) {
            const held = lanes.filter((id) => id.uid === uid && world.holdersOf(id)[0] === worker).length
            expect(worker.ratePpm(uid)).toBe(Math.floor((1_000_000 * held) / 3))
          }
        }
      }),
      { numRuns: 200 },
    )
  })

  test('an epoch is given to one worker only', () => {
    fc.assert(
      fc.property(stories(120), (story) => {
        const world = new World()
        const given = new Map<string, string>()
        for (const command of story) {
          world.run(command)
          for (const worker of world.workers) {
            for (const { key, epoch } of worker.lanes) {
              expect(given.get(`${key} ${epoch}`) ?? worker.instance).toBe(worker.instance)
              given.set(`${key} ${epoch}`, worker.instance)
            }
          }
        }
      }),
      { numRuns: 300 },
    )
  })

  test('when the faults end, every lane soon runs on exactly one worker, balanced, and stays there', () => {
    fc.assert(
      fc.property(stories(100), fc.boolean(), (story, complete) => {
        const world = new World()
        for (const command of story) world.run(command)
        for (const uid of ['a', 'b']) world.setState(uid, 'ACTIVE')
        settle(world, complete)
        for (const id of lanes) {
          expect(world.holdersOf(id)).toHaveLength(1)
          expect(world.holdersOf(id)[0]!.held(laneKey(id))!.state).toBe('RUNNING')
        }
        const staying = world.workers.filter((worker) => worker.isAlive && !worker.draining)
        const counts = staying.map((worker) => lanes.filter((id) => world.holdersOf(id)[0] === worker).length)
        expect(Math.max(...counts) - Math.min(...counts)).toBeLessThanOrEqual(1)
        const placement = world.placement()
        for (let step = 0; step < 10; step++) world.round(400, -1, true, complete)
        expect(world.placement()).toEqual(placement)
      }),
      { numRuns: 300 },
    )
  })

  test('a change of leader moves nothing, in whichever order the workers find the new one', () => {
    fc.assert(
      fc.property(stories(60), fc.array(fc.tuple(fc.nat({ max: 63 }), fc.boolean()), { maxLength: 20 }), (story, order) => {
        const world = new World()
        for (const command of story) world.run(command)
        settle(world, false)
        const placement = world.placement()
        world.failover()
        for (const [index, worker] of world.workers.entries()) {
          if (index % 2 === 0 && worker.canAct) worker.hear(world.leader.hear(worker.beat(true), world.nowMs))
        }
        for (const [who, complete] of order) {
          // Nobody misses a lease: this is about the leader alone.
          for (const worker of world.workers) if (worker.canAct) worker.touch(world.redis, world.nowMs)
          world.round(100, who, true, complete)
        }
        settleWithoutJoin(world)
        expect(world.placement()).toEqual(placement)
      }),
      { numRuns: 300 },
    )
  })

  test('lanes of a paused use case end with nobody', () => {
    fc.assert(
      fc.property(stories(60), (story) => {
        const world = new World()
        for (const command of story) world.run(command)
        world.setState('a', 'PAUSED')
        settle(world, false)
        for (const id of lanes.filter((each) => each.uid === 'a')) {
          expect(world.holdersOf(id)).toEqual([])
          expect(world.leader.core.table.get(laneKey(id))!.holding.state).toBe('FREE')
        }
      }),
      { numRuns: 300 },
    )
  })
})

function settleWithoutJoin(world: World): void {
  for (let step = 0; step < 20; step++) world.round(400)
}

import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { assign, type PlacedLane, type PlacedWorker } from './assign.ts'

const unlimited = Number.POSITIVE_INFINITY

interface World {
  readonly lanes: PlacedLane[]
  readonly workers: PlacedWorker[]
  readonly current: Map<string, string>
}

const worlds = (weight: fc.Arbitrary<number>): fc.Arbitrary<World> =>
  fc
    .record({
      lanes: fc.array(fc.record({ group: fc.constantFrom('a', 'b', 'c'), weight, holder: fc.integer({ min: -1, max: 9 }) }), {
        maxLength: 60,
      }),
      workers: fc.array(fc.boolean(), { maxLength: 8 }),
    })
    .map(({ lanes, workers }) => ({
      lanes: lanes.map((lane, index) => ({ key: `lane-${index}`, group: lane.group, weight: lane.weight })),
      workers: workers.map((draining, index) => ({ instance: `worker-${index}`, draining })),
      // Some are held by workers that are gone.
      current: new Map(lanes.flatMap((lane, index) => (lane.holder < 0 ? [] : [[`lane-${index}`, `worker-${lane.holder}`]]))),
    }))

const equal = worlds(fc.constant(1))
const weighted = worlds(fc.constantFrom(1, 2, 3, 10))
const movesMax = fc.oneof(fc.integer({ min: 0, max: 10 }), fc.constant(unlimited))

function loads(world: World, placement: Map<string, string>): number[] {
  const load = new Map(world.workers.filter((worker) => !worker.draining).map((worker) => [worker.instance, 0]))
  if (load.size === 0) return []
  for (const lane of world.lanes) {
    const holder = placement.get(lane.key)!
    load.set(holder, load.get(holder)! + lane.weight)
  }
  return [...load.values()]
}

/** Lanes that a worker that stays had to give away. */
function moved(world: World, placement: Map<string, string>): number {
  const staying = new Set(world.workers.filter((worker) => !worker.draining).map((worker) => worker.instance))
  return world.lanes.filter((lane) => {
    const before = world.current.get(lane.key)
    return before !== undefined && staying.has(before) && placement.get(lane.key) !== before
  }).length
}

describe('assign', () => {
  test('every lane is on exactly one worker that stays, or on none when nobody does', () => {
    fc.assert(
      fc.property(weighted, movesMax, (world, moves) => {
        const placement = assign(world.lanes, world.workers, world.current, moves)
        const staying = world.workers.filter((worker) => !worker.draining).map((worker) => worker.instance)
        expect(placement.size).toBe(staying.length === 0 ? 0 : world.lanes.length)
        for (const holder of placement.values()) expect(staying).toContain(holder)
      }),
    )
  })

  test('with equal weights no worker has two lanes more than another', () => {
    fc.assert(
      fc.property(equal, (world) => {
        const load = loads(world, assign(world.lanes, world.workers, world.current, unlimited))
        if (load.length > 0) expect(Math.max(...load) - Math.min(...load)).toBeLessThanOrEqual(1)
      }),
    )
  })

  test('with equal weights no balanced placement needs fewer moves', () => {
    fc.assert(
      fc.property(equal, (world) => {
        const staying = world.workers.filter((worker) => !worker.draining).map((worker) => worker.instance)
        if (staying.length === 0) return
        const placement = assign(world.lanes, world.workers, world.current, unlimited)
        const had = staying.map((instance) => world.lanes.filter((lane) => world.current.get(lane.key) === instance).length)
        const base = Math.floor(world.lanes.length / staying.length)
        const oneMore = world.lanes.length % staying.length
        // The best that can be done: those who have most may keep one more than the others.
        const fewest = had
          .sort((a, b) => b - a)
          .reduce((sum, count, index) => sum + Math.max(0, count - base - (index < oneMore ? 1 : 0)), 0)
        expect(moved(world, placement)).toBe(fewest)
      }),
    )
  })

  test('with any weights no single move from the most to the least loaded would narrow the gap', () => {
    fc.assert(
      fc.property(weighted, (world) => {
        const placement = assign(world.lanes, world.workers, world.current, unlimited)
        const staying = world.workers.filter((worker) => !worker.draining).map((worker) => worker.instance)
        if (staying.length === 0) return
        const load = loads(world, placement)
        const gap = Math.max(...load) - Math.min(...load)
        const most = staying[load.indexOf(Math.max(...load))]!
        for (const lane of world.lanes) {
          if (placement.get(lane.key) === most) expect(Math.abs(gap - 2 * lane.weight)).toBeGreaterThanOrEqual(gap)
        }
      }),
    )
  })

  test('nothing changes when nothing has changed', () => {
    fc.assert(
      fc.property(weighted, (world) => {
        const placement = assign(world.lanes, world.workers, world.current, unlimited)
        expect(assign(world.lanes, world.workers, placement, unlimited)).toEqual(placement)
      }),
    )
  })

  test('the order of the question does not matter', () => {
    fc.assert(
      fc.property(weighted, movesMax, (world, moves) => {
        const placement = assign(world.lanes, world.workers, world.current, moves)
        const other = assign([...world.lanes].reverse(), [...world.workers].reverse(), world.current, moves)
        expect([...other].sort()).toEqual([...placement].sort())
      }),
    )
  })

  test('at most so many lanes change hands between workers that stay', () => {
    fc.assert(
      fc.property(weighted, fc.integer({ min: 0, max: 10 }), (world, moves) => {
        expect(moved(world, assign(world.lanes, world.workers, world.current, moves))).toBeLessThanOrEqual(moves)
      }),
    )
  })

  test('step by step with a bound it gets as far as at once', () => {
    fc.assert(
      fc.property(equal, (world) => {
        let placement = assign(world.lanes, world.workers, world.current, 2)
        for (let step = 0; step < 60; step++) placement = assign(world.lanes, world.workers, placement, 2)
        const load = loads(world, placement)
        if (load.length > 0) expect(Math.max(...load) - Math.min(...load)).toBeLessThanOrEqual(1)
      }),
    )
  })

  test('lanes of one use case are spread when the load allows it', () => {
    const lanes = ['a', 'b'].flatMap((group) =>
      [0, 1, 2, 3].map((partition) => ({ key: `${group}/${partition}`, group, weight: 1 })),
    )
    const workers = ['one', 'two'].map((instance) => ({ instance, draining: false }))
    const placement = assign(lanes, workers, new Map(lanes.map((lane) => [lane.key, 'one'])), unlimited)
    for (const group of ['a', 'b']) {
      expect(lanes.filter((lane) => lane.group === group && placement.get(lane.key) === 'two')).toHaveLength(2)
    }
  })
})

test('no worker is given more lanes than it may hold; what does not fit has no place until another comes', () => {
  const lanes = Array.from({ length: 10 }, (_, index) => ({ key: `lane-${index}`, group: 'g', weight: 1 }))
  const worker = (instance: string) => ({ instance, draining: false })
  const full = assign(lanes, [worker('a'), worker('b')], new Map(), 32, 3)
  expect(full.size).toBe(6)
  const more = assign(lanes, [worker('a'), worker('b'), worker('c')], full, 32, 3)
  expect(more.size).toBe(9)
  for (const [key, instance] of full) expect(more.get(key)).toBe(instance)
})

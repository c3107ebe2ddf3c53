import { setTimeout as sleep } from 'node:timers/promises'
import { Ordering } from '../../../proto/gen/ferry/v1/use_case_pb.ts'
import { Clock } from '../../harness/clock.ts'
import type { Behaviour } from '../../harness/received.ts'
import { endsInOrder } from '../ends-in-order.ts'
import { scenario } from '../scenario.ts'

const clocks = 'clocks that differ by minutes, or are set while they run'
const minuteMs = 60_000
const exitMsMax = 20_000
/** Nothing waits for a retry: that would come as much later or sooner as the clock is wrong. */
const good: Behaviour = () => ({ delayMs: 5 })
const flows = [{ behaviour: good }, { behaviour: good, ordering: Ordering.KEY }]

scenario(
  'workers whose clocks are ten minutes apart take over from each other',
  { fault: clocks, repeats: 'UNLOGGED', fleet: { workers: 1 }, flows },
  async ({ fleet, random, delivers }) => {
    // Each that comes next is alone with the lanes for a moment, and is killed, at last before its first checkpoint even.
    for (const aheadMs of [-10 * minuteMs, 10 * minuteMs, -10 * minuteMs, 0]) {
      const next = await fleet.startWorker(new Clock(aheadMs).env)
      const before = fleet.workers.at(-2)!
      if (random.int(0, 1) === 0) before.kill('SIGKILL')
      else {
        before.kill('SIGTERM')
        await endsInOrder(before, exitMsMax)
      }
      await delivers(random.int(1, 200))
      if (next.exit !== undefined) throw new Error('a worker whose clock is wrong has ended by itself')
    }
  },
)

scenario(
  'the clocks of workers are set back and forth',
  { fault: clocks, repeats: 'NONE', fleet: { workers: 1 }, flows },
  async ({ fleet, random, delivers }) => {
    const steps = [new Clock(0), new Clock(0)]
    for (const clock of steps) await fleet.startWorker(clock.env)
    for (let round = 0; round < 8; round++) {
      random.pick(steps).set(random.pick([-10, -1, 0, 1, 10]) * minuteMs)
      await sleep(random.int(100, 2000))
      await delivers(100)
    }
    if (fleet.workers.some((each) => each.exit !== undefined)) throw new Error('a worker whose clock was set has ended by itself')
  },
)

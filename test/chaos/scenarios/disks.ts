import { setTimeout as sleep } from 'node:timers/promises'
import { metricOf } from '../../harness/metric.ts'
import { canMount } from '../../harness/small-disk.ts'
import { waitUntil } from '../../harness/wait-until.ts'
import { scenario } from '../scenario.ts'

const full = 'a disk that is full'
const mebibyte = 2 ** 20

// Where nobody may mount a file system of its own, they are left out of the table.
if (canMount()) {
  scenario(
    'the disk of ClickHouse is full for a while',
    {
      ...{ fault: full, repeats: 'NONE' },
      fleet: {
        ...{ ownClickhouse: true, smallDisk: { of: 'clickhouse', bytesMax: 256 * mebibyte } },
        workerEnv: { FERRY_SPOOL_AFTER: '1s', FERRY_SPOOL_LOOK: '300ms' },
      },
    },
    async ({ fleet, delivers }) => {
      fleet.disk.fill()
      await waitUntil('rows go into the spool', 30_000, async () => {
        const counts = await Promise.all(fleet.workers.map((worker) => metricOf(worker, 'ferry_spooled_inserts_total')))
        return counts.every((count) => count > 0)
      })
      await delivers(1000)
      fleet.disk.free()
      await delivers(300)
    },
  )

  scenario(
    'the disk of Redis is full for a while',
    { fault: full, repeats: 'NONE', fleet: { smallDisk: { of: 'redis', bytesMax: 64 * mebibyte } } },
    async ({ fleet, random, delivers }) => {
      for (let round = 0; round < 3; round++) {
        fleet.disk.fill()
        await sleep(random.int(500, 8000))
        fleet.disk.free()
        await delivers(200)
      }
    },
  )
}

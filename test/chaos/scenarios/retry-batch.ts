import { setTimeout as sleep } from 'node:timers/promises'
import { Ordering } from '../../../proto/gen/ferry/v1/use_case_pb.ts'
import { countNow } from '../../harness/certificate.ts'
import { leaderOf, loseEverything } from '../../harness/redis.ts'
import { createBatch, waitForBatch } from '../../harness/retry-batch.ts'
import { waitUntil } from '../../harness/wait-until.ts'
import type { Flow } from '../flow.ts'
import { type Chaos, scenario } from '../scenario.ts'

const fault = 'retry batch: coordinator killed between enqueue and save; worker killed mid-item; lane state flushed'
const batchMsMax = 90_000
/** The receiver refuses these for good until it is fixed. */
const isPoison = ({ offset }: { readonly offset: number }): boolean => offset % 4 === 0
const behaviour: Flow['endpoint']['behaviour'] = (request) => (isPoison(request) ? { status: 422 } : { delayMs: 5 })
const flows = [{ behaviour }, { behaviour, ordering: Ordering.KEY }]
/** So few at a time that a batch is on its way for a while. */
const fleet = { controlPlaneEnv: { FERRY_INBOX_MAX: '20' } }

scenario('a worker is killed in the middle of a retry batch', { fault, repeats: 'UNLOGGED', flows, fleet }, (chaos) =>
  retryWith(chaos, async () => {
    chaos.random.pick(chaos.fleet.workers).kill('SIGKILL')
  }),
)

scenario('the leader is killed in the middle of a retry batch', { fault, repeats: 'NONE', flows, fleet }, (chaos) =>
  retryWith(chaos, async () => {
    const leader = await leaderOf(chaos.fleet)
    leader.kill('SIGKILL')
    await leader.waitExit(5000)
    await chaos.fleet.startControlPlane(leader.ports)
  }),
)

scenario('Redis loses everything in the middle of a retry batch', { fault, repeats: 'COUNTED', flows, fleet }, async (chaos) => {
  await failSome(chaos)
  for (const { useCase } of chaos.flows) await createBatch(chaos.fleet, useCase)
  await sleep(chaos.random.int(500, 3000))
  await loseEverything(chaos.fleet)
  await chaos.delivers(500)
})

async function failSome({ flows: [...all], fleet, delivers }: Chaos): Promise<void> {
  await delivers(300)
  for (const { useCase } of all) {
    await waitUntil('some have failed', 30_000, async () => (await countNow(fleet, useCase)).failed > 50)
  }
  for (const { endpoint } of all) endpoint.behaviour = () => ({ delayMs: 5 })
}

/** Some deliveries fail, the receiver is fixed, one batch per use case opens them again, and the fault comes meanwhile. */
async function retryWith(chaos: Chaos, strike: () => Promise<void>): Promise<void> {
  const { fleet, random } = chaos
  await failSome(chaos)
  const batches = await Promise.all(chaos.flows.map(({ useCase }) => createBatch(fleet, useCase)))
  await sleep(random.int(0, 4000))
  await strike()
  for (const { name } of batches) {
    const { selected, delivered, failedAgain, superseded } = await waitForBatch(fleet, name, batchMsMax)
    if (delivered + superseded !== selected || failedAgain > 0n)
      throw new Error(
        `${name}: ${selected} selected, ${delivered} delivered, ${superseded} superseded, ${failedAgain} failed again`,
      )
  }
}

import { type Worker, WorkerSchema } from '../../proto/gen/ferry/v1/fleet_service_pb.ts'
import { CliError } from '../cli-error.ts'
import { confirm } from '../confirm.ts'
import { ExitCode } from '../exit-code.ts'
import { countWords } from '../output/words.ts'
import type { Session } from '../session.ts'
import { follow } from './follow.ts'

export interface DrainOptions {
  readonly reason?: string
  readonly detach?: boolean
  readonly yes?: boolean
}

/** Takes a worker out, and waits until it has no lane. */
export async function drain(
  session: Session,
  instance: string,
  { reason = '', detach = false, yes }: DrainOptions,
): Promise<ExitCode> {
  await confirm(
    session,
    `Take ${instance} out? Its lanes move to the others; it is given none until its process is started again.`,
    yes,
  )
  const { worker: first } = await session.ferry.fleet.drainWorker({ instance, reason })
  const lanes = first!.lanes
  const done = detach
    ? first!
    : await follow<Worker>(session, {
        read: () => drainingWorker(session, instance, reason),
        hasEnded: (worker) => worker.lanes === 0,
        progressOf: (worker) => ({ done: Math.max(0, lanes - worker.lanes), total: lanes, notes: ['lanes moved'] }),
        goesOn: 'it is drained on: see ferry workers',
      })
  if (done === undefined) return ExitCode.interrupted
  await session.show(WorkerSchema, done, () =>
    done.lanes === 0
      ? `${instance} has no lanes: stop its process\n`
      : `${instance} is being drained: ${countWords(done.lanes)} lanes to go\n`,
  )
  return ExitCode.done
}

/** As the leader knows it. One that has died in that very second has told nobody of the order: it is given again. */
async function drainingWorker({ ferry }: Session, instance: string, reason: string): Promise<Worker> {
  const { workers } = await ferry.fleet.listWorkers({})
  const worker = workers.find((each) => each.instance === instance)
  if (worker === undefined) throw new CliError(`${instance} is gone`, ['its lanes are moving: see ferry workers and ferry lanes'])
  return worker.draining ? worker : (await ferry.fleet.drainWorker({ instance, reason })).worker!
}

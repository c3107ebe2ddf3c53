import { toBinary } from '@bufbuild/protobuf'
import { Code, type ServiceImpl } from '@connectrpc/connect'
import { type UseCase, UseCaseSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { WorkerService } from '../../proto/gen/ferry/v1/worker_service_pb.ts'
import type { Fleet } from '../fleet/fleet.ts'
import type { LeaderClient } from '../fleet/leader-client.ts'
import { ferryError } from '../serve/errors.ts'
import type { Trials } from '../trials/trials.ts'
import type { Registry } from '../use-cases/registry.ts'
import { answerFleet } from './fleet-errors.ts'
import { readHeartbeat, writeReply } from './heartbeat-messages.ts'

const protocolVersion = 1
/** A reply stops growing above this: what is left out is asked for again. */
const definitionsBytesMax = 8 << 20

export type WorkerDefinitions = Pick<Registry, 'getByUid' | 'withDescriptorSet'>

/** The contract's WorkerService: heartbeats are the leader's, definitions any replica's. */
export function workerService(
  fleet: Fleet,
  leader: LeaderClient,
  registry: WorkerDefinitions,
  trials: Trials,
): ServiceImpl<typeof WorkerService> {
  return {
    heartbeat: (request, context) =>
      answerFleet(async () => {
        if (request.protocolVersion !== protocolVersion) {
          const message = `this control plane speaks protocol version ${protocolVersion}, the worker ${request.protocolVersion}: run both from the same release`
          throw ferryError(Code.FailedPrecondition, 'PROTOCOL_VERSION_UNSUPPORTED', message)
        }
        if (fleet.lead() === undefined) {
          return leader.call(WorkerService, context, (client, options) => client.heartbeat(request, options))
        }
        const reply = writeReply(await fleet.heartbeat(readHeartbeat(request, Date.now())))
        if (!request.draining) reply.trials = trials.take(request.instance)
        return reply
      }),
    answerTrial: (request, context) =>
      answerFleet(async () => {
        if (fleet.lead() === undefined) {
          return leader.call(WorkerService, context, (client, options) => client.answerTrial(request, options))
        }
        trials.answer(request)
        return {}
      }),
    fetchUseCases: ({ uids }) => answerFleet(async () => ({ useCases: await fetchUseCases(registry, uids) })),
  }
}

async function fetchUseCases(registry: WorkerDefinitions, uids: readonly string[]): Promise<UseCase[]> {
  const useCases: UseCase[] = []
  let bytes = 0
  for (const uid of new Set(uids)) {
    const useCase = await registry.getByUid(uid)
    if (useCase === undefined) continue
    const whole = await registry.withDescriptorSet(useCase)
    bytes += toBinary(UseCaseSchema, whole).length
    if (useCases.length > 0 && bytes > definitionsBytesMax) break
    useCases.push(whole)
  }
  return useCases
}

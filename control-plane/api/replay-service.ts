import { create } from '@bufbuild/protobuf'
import type { ServiceImpl } from '@connectrpc/connect'
import { type Replay, ReplaySchema } from '../../proto/gen/ferry/v1/replay_pb.ts'
import { CreateReplayRequestSchema, ReplayService } from '../../proto/gen/ferry/v1/replay_service_pb.ts'
import type { EgressRules } from '../../runtime/egress-rules.ts'
import { checkReplay } from '../replays/check-replay.ts'
import type { Replays } from '../replays/replays.ts'
import { answer, callerOf, refuseInvalid } from './answer.ts'

/** These tell what is wrong by the contract together with what it cannot say. */
export const selfCheckingReplayMethods = [ReplayService.method.createReplay] as const

/** The contract's ReplayService on the domain. egress: where workers may connect to. */
export function replayService(replays: Replays, egress: EgressRules): ServiceImpl<typeof ReplayService> {
  return {
    createReplay: (request, context) =>
      answer(async () => {
        const replay: Replay = request.replay ?? create(ReplaySchema)
        refuseInvalid(CreateReplayRequestSchema, request, checkReplay(replay, egress))
        return { replay: await replays.create(replay, request.requestId, callerOf(context).actor) }
      }),
    getReplay: ({ name }) => answer(async () => ({ replay: await replays.get(name) })),
    listReplays: ({ useCase, pageSize, pageToken }) => answer(() => replays.list(useCase, pageSize, pageToken)),
    cancelReplay: ({ name, reason }, context) =>
      answer(async () => ({ replay: await replays.cancel(name, callerOf(context).actor, reason) })),
  }
}

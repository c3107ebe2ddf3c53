import { create, fromBinary } from '@bufbuild/protobuf'
import type { CallOptions, Client, HandlerContext, ServiceImpl } from '@connectrpc/connect'
import {
  type PreviewRequest,
  PreviewRequestSchema,
  PreviewResponseSchema,
  type TestRequest,
  TestRequestSchema,
  TestResponseSchema,
} from '../../proto/gen/ferry/v1/preview_pb.ts'
import { type UseCase, UseCaseSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { UseCaseService } from '../../proto/gen/ferry/v1/use_case_service_pb.ts'
import type { OperatorLog } from '../audit/operator-log.ts'
import type { Fleet } from '../fleet/fleet.ts'
import { FleetError } from '../fleet/fleet-error.ts'
import type { LeaderClient } from '../fleet/leader-client.ts'
import { hideSecrets } from '../serve/hide-secrets.ts'
import type { TrialAnswer, Trials, Wanted } from '../trials/trials.ts'
import type { Registry } from '../use-cases/registry.ts'
import { callerOf } from './answer.ts'
import { onLeader } from './on-leader.ts'

export interface PreviewParts {
  readonly registry: Pick<Registry, 'draft'>
  readonly fleet: Pick<Fleet, 'lead' | 'workers'>
  readonly leader: LeaderClient
  readonly trials: Trials
  readonly operatorLog: Pick<OperatorLog, 'write'>
  readonly timeoutMs: number
}

/** Kept of a caller's own deadline, for the way back. */
const WAY_BACK_MS = 200

/** What is tried out and not registered: definitions are checked here, and workers carry them out. */
export function previewMethods(parts: PreviewParts): Pick<ServiceImpl<typeof UseCaseService>, 'preview' | 'test'> {
  return {
    preview: (request, context) =>
      led(
        parts,
        context,
        (client, options) => client.preview(request, options),
        async () => {
          const wanted: Wanted = { case: 'preview', value: create(PreviewRequestSchema, withoutUseCase(request)) }
          return fromBinary(PreviewResponseSchema, (await ask(parts, request.useCase, wanted, context)).value)
        },
      ),
    test: (request, context) =>
      led(
        parts,
        context,
        (client, options) => client.test(request, options),
        async () => {
          const wanted: Wanted = { case: 'test', value: create(TestRequestSchema, withoutUseCase(request)) }
          return fromBinary(TestResponseSchema, (await ask(parts, request.useCase, wanted, context)).value)
        },
      ),
  }
}

/** The leader hears workers. It is given as long as a trial takes. */
const led = <T>(
  parts: PreviewParts,
  context: HandlerContext,
  handOn: (client: Client<typeof UseCaseService>, options: CallOptions) => Promise<T>,
  work: () => Promise<T>,
): Promise<T> => {
  const timeoutMs = Math.min(parts.timeoutMs + WAY_BACK_MS, context.timeoutMs() ?? Number.POSITIVE_INFINITY)
  return onLeader(parts, UseCaseService, context, (client, options) => handOn(client, { ...options, timeoutMs }), work)
}

const withoutUseCase = <R extends PreviewRequest | TestRequest>({ useCase: _, ...rest }: R): Omit<R, 'useCase'> => rest

async function ask(
  { registry, fleet, trials, timeoutMs, operatorLog }: PreviewParts,
  asked: UseCase | undefined,
  wanted: Wanted,
  context: HandlerContext,
): Promise<TrialAnswer> {
  const useCase = await registry.draft(asked ?? create(UseCaseSchema))
  if (!fleet.workers().some(({ worker }) => !worker.draining))
    throw new FleetError('NO_WORKER', 'there is no worker that could do it: start one')
  if (wanted.case === 'test') {
    const { name, uid, spec } = useCase
    const asked = { url: hideSecrets(spec?.destination?.url ?? '') }
    await operatorLog.write({ action: 'TEST', actor: callerOf(context).actor, reason: '', useCase: name, uid, asked })
  }
  const ownMs = (context.timeoutMs() ?? Number.POSITIVE_INFINITY) - WAY_BACK_MS
  return trials.ask(useCase, wanted, Math.max(1, Math.min(timeoutMs, ownMs)))
}

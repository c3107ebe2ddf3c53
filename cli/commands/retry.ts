import { randomUUID } from 'node:crypto'
import { RetryBatchSchema, StalePolicy } from '../../proto/gen/ferry/v1/retry_batch_pb.ts'
import { type PlanRetryBatchResponse, PlanRetryBatchResponseSchema } from '../../proto/gen/ferry/v1/retry_batch_service_pb.ts'
import { usageError } from '../cli-error.ts'
import { confirm } from '../confirm.ts'
import { ExitCode } from '../exit-code.ts'
import { shortChildName, shortName } from '../names.ts'
import { countWords, timeAndAge } from '../output/words.ts'
import type { Session } from '../session.ts'
import { type FailureFlags, failureFilter } from './attempt-filter.ts'
import { followBatch } from './follow-batch.ts'

export interface RetryOptions extends FailureFlags {
  readonly reason?: string
  readonly max?: number
  readonly sendStale?: boolean
  readonly dryRun?: boolean
  readonly detach?: boolean
  readonly yes?: boolean
  readonly requestId?: string
}

/** Sends again what has FAILED: shows the plan, asks, starts the batch and follows it. */
export async function retry(session: Session, text: string, options: RetryOptions): Promise<ExitCode> {
  const useCase = session.nameOf(text)
  const { terminal, ferry } = session
  const { reason = '', max, sendStale = false, dryRun = false, detach = false, requestId = randomUUID() } = options
  if (reason.trim() === '' && !dryRun) throw usageError('--reason is missing: say why, for whoever reads the history')
  const retryBatch = {
    useCase,
    filter: failureFilter(options, session.nowMs()),
    reason: reason.trim() === '' ? 'a plan' : reason,
    stalePolicy: sendStale ? StalePolicy.SEND : StalePolicy.SKIP,
    ...(max !== undefined && { maxItems: BigInt(max) }),
  }
  const plan = await ferry.retryBatches.planRetryBatch({ retryBatch })
  const isText = session.format === 'table'
  if (dryRun) {
    await session.show(PlanRetryBatchResponseSchema, plan, () => planText(session, useCase, plan))
    return ExitCode.done
  }
  if (isText) terminal.err(planText(session, useCase, plan))
  if (plan.selected === 0n) {
    if (!isText) await session.show(PlanRetryBatchResponseSchema, plan, () => '')
    return ExitCode.done
  }
  await confirm(session, `Send ${countWords(plan.selected)} deliveries again?`, options.yes)
  const { retryBatch: created } = await ferry.retryBatches.createRetryBatch({ retryBatch, requestId })
  const name = created!.name
  if (detach) {
    await session.show(
      RetryBatchSchema,
      created!,
      () => `started ${shortChildName(name)}. Follow it: ferry batches watch ${shortChildName(name)}\n`,
    )
    return ExitCode.done
  }
  if (isText) terminal.err(`started ${shortChildName(name)}\n`)
  return followBatch(session, name)
}

function planText(
  { paint, nowMs }: Session,
  useCase: string,
  { selected, oldestTime, bytesInKafka, bytesInPayloads, payloadExpired }: PlanRetryBatchResponse,
): string {
  if (selected === 0n) return `${shortName(useCase)}: nothing has FAILED like that\n`
  const lines = [
    `${shortName(useCase)}: ${countWords(selected)} failed deliveries`,
    `  oldest            ${timeAndAge(oldestTime, nowMs())}`,
    `  bytes in Kafka    ${countWords(bytesInKafka)}`,
    `  bytes in the log  ${countWords(bytesInPayloads)}`,
    ...(payloadExpired > 0n
      ? [
          `  ${paint.bad(`bytes gone        ${countWords(payloadExpired)}  these cannot be sent: they fail again with PAYLOAD_EXPIRED`)}`,
        ]
      : []),
  ]
  return `${lines.join('\n')}\n`
}

import { randomUUID } from 'node:crypto'
import { RetryBatchSchema, StalePolicy } from '../../proto/gen/ferry/v1/retry_batch_pb.ts'
import { type PlanRetryBatchResponse, PlanRetryBatchResponseSchema } from '../../proto/gen/ferry/v1/retry_batch_service_pb.ts'
import { usageError } from '../cli-error.ts'
import { confirm } from '../confirm.ts'
import { ExitCode } from '../exit-code.ts'
import { shortChildName, shortName } from '../names.ts'
import { countWords, timeAndAge } from '../output/words.ts'
import type { Session } from '../session.ts'
import { itemColumns } from './batch-items.ts'
import { followBatch } from './follow-batch.ts'
import { retryFilter, type SelectionFlags } from './retry-selection.ts'

export interface RetryOptions extends SelectionFlags {
  readonly reason?: string
  readonly max?: number
  /** Records a second. */
  readonly rate?: number
  readonly sendStale?: boolean
  readonly newIdempotencyKey?: boolean
  readonly dryRun?: boolean
  readonly detach?: boolean
  readonly yes?: boolean
  readonly requestId?: string
}

/** Sends again what has FAILED: shows the plan, asks, starts the batch and follows it. */
export async function retry(session: Session, text: string, options: RetryOptions): Promise<ExitCode> {
  const useCase = session.nameOf(text)
  const { terminal, ferry } = session
  const {
    reason = '',
    max,
    rate,
    sendStale = false,
    newIdempotencyKey = false,
    dryRun = false,
    detach = false,
    requestId,
  } = options
  if (reason.trim() === '' && !dryRun) throw usageError('--reason is missing: say why, for whoever reads the history')
  const retryBatch = {
    useCase,
    filter: retryFilter(options, session.nowMs()),
    reason: reason.trim() === '' ? 'a plan' : reason,
    stalePolicy: sendStale ? StalePolicy.SEND : StalePolicy.SKIP,
    newIdempotencyKey,
    ...(max !== undefined && { maxItems: BigInt(max) }),
    ...(rate !== undefined && { recordsPerSecond: rate }),
  }
  const plan = await ferry.retryBatches.planRetryBatch({ retryBatch })
  const isText = session.format === 'table'
  if (dryRun) {
    await session.show(PlanRetryBatchResponseSchema, plan, () => planText(session, useCase, plan, true))
    return ExitCode.done
  }
  if (isText) terminal.err(planText(session, useCase, plan, false))
  if (plan.selected === 0n) {
    if (!isText) await session.show(PlanRetryBatchResponseSchema, plan, () => '')
    return ExitCode.done
  }
  await confirm(session, `Send ${countWords(plan.selected)} deliveries again?`, options.yes)
  // What was shown is what is sent. With an id of the caller's the batch must be the same at each call: then as of its creation.
  const asShown = requestId === undefined && plan.asOfTime !== undefined ? { asOfTime: plan.asOfTime } : {}
  const request = { retryBatch: { ...retryBatch, ...asShown }, requestId: requestId ?? randomUUID() }
  const { retryBatch: created } = await ferry.retryBatches.createRetryBatch(request)
  const name = created!.name
  if (detach) {
    const how = `Follow it: ferry batches watch ${shortChildName(name)}`
    await session.show(RetryBatchSchema, created!, () => `started ${shortChildName(name)}. ${how}\n`)
    return ExitCode.done
  }
  if (isText) terminal.err(`started ${shortChildName(name)}\n`)
  return followBatch(session, name)
}

function planText(session: Session, useCase: string, plan: PlanRetryBatchResponse, withSamples: boolean): string {
  const { paint, nowMs } = session
  const { selected, missing, notSelected, oldestTime, bytesInKafka, bytesInPayloads, payloadExpired, samples } = plan
  const left = notSelected > 0n ? `${countWords(notSelected)} of the records that you named are neither FAILED nor missing\n` : ''
  if (selected === 0n) return `${shortName(useCase)}: nothing has FAILED like that\n${left}`
  const lines = [
    ['oldest', timeAndAge(oldestTime, nowMs())],
    ['missing', missing > 0n ? countWords(missing) : ''],
    ['bytes in Kafka', countWords(bytesInKafka)],
    ['bytes in the log', countWords(bytesInPayloads)],
    [
      'bytes gone',
      payloadExpired > 0n
        ? paint.bad(`${countWords(payloadExpired)}  these cannot be sent: they fail again with PAYLOAD_EXPIRED`)
        : '',
    ],
  ].filter(([, value]) => value !== '')
  const figures = lines.map(([title, value]) => `  ${title!.padEnd(18)}${value}\n`).join('')
  const some = withSamples && samples.length > 0 ? `\n${session.table(itemColumns(session), samples)}` : ''
  return `${shortName(useCase)}: ${countWords(selected)} failed deliveries\n${figures}${left}${some}`
}

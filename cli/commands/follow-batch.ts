import {
  type RetryBatch,
  RetryBatchSchema,
  RetryBatchState,
  RetryBatchStateSchema,
} from '../../proto/gen/ferry/v1/retry_batch_pb.ts'
import { ExitCode } from '../exit-code.ts'
import { shortBatchName } from '../names.ts'
import { enumWord } from '../output/enum-words.ts'
import { progressBar, RateWindow } from '../output/progress-bar.ts'
import { countWords } from '../output/words.ts'
import type { Session } from '../session.ts'
import { interruptedWithin } from '../wait.ts'

const pollMs = 1000
const rateWindowMs = 15_000

/** Shows a batch's progress until it has ended. Ctrl-C ends only the watching. */
export async function followBatch(session: Session, name: string): Promise<ExitCode> {
  const { terminal, ferry } = session
  const rate = new RateWindow(rateWindowMs)
  for (;;) {
    const { retryBatch } = await ferry.retryBatches.getRetryBatch({ name })
    const batch = retryBatch!
    if (hasEnded(batch)) return await ended(session, batch)
    rate.add(session.nowMs(), doneOf(batch))
    terminal.progress(progressBar(progressOf(batch, rate.perSecond()), terminal.width))
    if (await interruptedWithin(pollMs, terminal.interrupted)) break
  }
  const short = shortBatchName(name)
  terminal.err(`the batch goes on. Follow it: ferry batches watch ${short}   Stop it: ferry batches cancel ${short}\n`)
  return ExitCode.interrupted
}

export const hasEnded = ({ state }: RetryBatch): boolean => state === RetryBatchState.DONE || state === RetryBatchState.CANCELLED

export const doneOf = ({ delivered, failedAgain, superseded }: RetryBatch): number => Number(delivered + failedAgain + superseded)

function progressOf(batch: RetryBatch, perSecond: number | undefined) {
  const notes = [
    ...(batch.failedAgain > 0n ? [`${countWords(batch.failedAgain)} failed again`] : []),
    ...(batch.superseded > 0n ? [`${countWords(batch.superseded)} superseded`] : []),
  ]
  return { done: doneOf(batch), total: Number(batch.selected), perSecond, notes }
}

async function ended(session: Session, batch: RetryBatch): Promise<ExitCode> {
  await session.show(RetryBatchSchema, batch, () => `${verdictOf(session, batch)}\n`)
  return batch.state === RetryBatchState.DONE && batch.failedAgain === 0n ? ExitCode.done : ExitCode.notGood
}

function verdictOf(
  { paint }: Session,
  { name, state, selected, delivered, failedAgain, superseded, payloadExpired }: RetryBatch,
): string {
  const parts = [
    `${countWords(delivered)} of ${countWords(selected)} delivered`,
    ...(failedAgain > 0n ? [`${countWords(failedAgain)} failed again`] : []),
    ...(payloadExpired > 0n ? [`of them ${countWords(payloadExpired)} because their bytes are gone`] : []),
    ...(superseded > 0n ? [`${countWords(superseded)} superseded by newer records of their keys`] : []),
  ]
  const good = state === RetryBatchState.DONE && failedAgain === 0n
  const word = enumWord(RetryBatchStateSchema, state).toLowerCase()
  return `${(good ? paint.good : paint.warn)(word)} ${shortBatchName(name)}: ${parts.join(', ')}`
}

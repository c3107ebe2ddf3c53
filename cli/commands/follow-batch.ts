import {
  type RetryBatch,
  RetryBatchSchema,
  RetryBatchState,
  RetryBatchStateSchema,
} from '../../proto/gen/ferry/v1/retry_batch_pb.ts'
import { ExitCode } from '../exit-code.ts'
import { shortChildName } from '../names.ts'
import { enumWord } from '../output/enum-words.ts'
import { countWords } from '../output/words.ts'
import type { Session } from '../session.ts'
import { follow } from './follow.ts'

/** Shows a batch's progress until it has ended. Ctrl-C ends only the watching. */
export async function followBatch(session: Session, name: string): Promise<ExitCode> {
  const short = shortChildName(name)
  const batch = await follow<RetryBatch>(session, {
    read: async () => (await session.ferry.retryBatches.getRetryBatch({ name })).retryBatch!,
    hasEnded,
    progressOf,
    goesOn: `the batch goes on. Follow it: ferry batches watch ${short}   Stop it: ferry batches cancel ${short}`,
  })
  return batch === undefined ? ExitCode.interrupted : ended(session, batch)
}

export const hasEnded = ({ state }: RetryBatch): boolean => state === RetryBatchState.DONE || state === RetryBatchState.CANCELLED

export const doneOf = ({ delivered, failedAgain, superseded, skipped }: RetryBatch): number =>
  Number(delivered + failedAgain + superseded + skipped)

function progressOf(batch: RetryBatch) {
  const notes = [
    ...(batch.state === RetryBatchState.PAUSED ? ['paused'] : []),
    ...(batch.failedAgain > 0n ? [`${countWords(batch.failedAgain)} failed again`] : []),
    ...(batch.superseded > 0n ? [`${countWords(batch.superseded)} superseded`] : []),
  ]
  return { done: doneOf(batch), total: Number(batch.selected), notes }
}

async function ended(session: Session, batch: RetryBatch): Promise<ExitCode> {
  await session.show(RetryBatchSchema, batch, () => `${verdictOf(session, batch)}\n`)
  return batch.state === RetryBatchState.DONE && batch.failedAgain === 0n ? ExitCode.done : ExitCode.notGood
}

function verdictOf(
  { paint }: Session,
  { name, state, selected, delivered, failedAgain, superseded, skipped, payloadExpired }: RetryBatch,
): string {
  const parts = [
    `${countWords(delivered)} of ${countWords(selected)} delivered`,
    ...(failedAgain > 0n ? [`${countWords(failedAgain)} failed again`] : []),
    ...(payloadExpired > 0n ? [`of them ${countWords(payloadExpired)} because their bytes are gone`] : []),
    ...(superseded > 0n ? [`${countWords(superseded)} superseded by newer records of their keys`] : []),
    ...(skipped > 0n ? [`${countWords(skipped)} skipped`] : []),
  ]
  const good = state === RetryBatchState.DONE && failedAgain === 0n
  const word = enumWord(RetryBatchStateSchema, state).toLowerCase()
  return `${(good ? paint.good : paint.warn)(word)} ${shortChildName(name)}: ${parts.join(', ')}`
}

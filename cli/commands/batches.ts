import { type RetryBatch, RetryBatchSchema, RetryBatchStateSchema } from '../../proto/gen/ferry/v1/retry_batch_pb.ts'
import { allPages } from '../all-pages.ts'
import { confirm } from '../confirm.ts'
import type { ExitCode } from '../exit-code.ts'
import { childName, shortChildName } from '../names.ts'
import { enumWord } from '../output/enum-words.ts'
import { oneLine } from '../output/plain-text.ts'
import { jsonOf, yamlOf } from '../output/show.ts'
import { ageWords, countWords } from '../output/words.ts'
import type { Session } from '../session.ts'
import { doneOf, followBatch } from './follow-batch.ts'

const defaultLimit = 50

/** Retry batches of a use case, or of all, newest first. */
export async function listBatches(
  session: Session,
  text: string | undefined,
  { limit = defaultLimit }: { limit?: number },
): Promise<void> {
  const useCase = text === undefined ? '' : session.nameOf(text)
  const { items, hasMore } = await allPages(limit, async (pageSize, pageToken) => {
    const { retryBatches, nextPageToken } = await session.ferry.retryBatches.listRetryBatches({ useCase, pageSize, pageToken })
    return { items: retryBatches, next: nextPageToken }
  })
  const nowMs = session.nowMs()
  await session.list(RetryBatchSchema, items, {
    none: 'there is no retry batch; ferry retry starts one',
    columns: [
      { title: 'BATCH', of: ({ name }) => shortChildName(name) },
      { title: 'STATE', of: ({ state }) => enumWord(RetryBatchStateSchema, state) },
      { title: 'ENDED', of: (batch) => `${countWords(doneOf(batch))}/${countWords(batch.selected)}`, right: true },
      { title: 'DELIVERED', of: ({ delivered }) => countWords(delivered), right: true },
      { title: 'FAILED', of: ({ failedAgain }) => countWords(failedAgain), right: true },
      { title: 'DONE AT', of: ({ estimatedEndTime }) => ageWords(estimatedEndTime, nowMs) },
      { title: 'STARTED', of: ({ createTime }) => ageWords(createTime, nowMs) },
      { title: 'BY', of: ({ creator }) => oneLine(creator), shrinkTo: 8 },
      { title: 'WHY', of: ({ reason }) => oneLine(reason), shrinkTo: 12 },
    ],
  })
  if (hasMore) session.terminal.err('there are more: --limit N shows them\n')
}

export async function showBatch(session: Session, text: string): Promise<void> {
  const name = childName('retryBatches', text, session.settings.namespace)
  const { retryBatch } = await session.ferry.retryBatches.getRetryBatch({ name })
  await session.show(RetryBatchSchema, retryBatch!, () => yamlOf(jsonOf(RetryBatchSchema, retryBatch!)))
}

export const watchBatch = (session: Session, text: string): Promise<ExitCode> =>
  followBatch(session, childName('retryBatches', text, session.settings.namespace))

export async function cancelBatch(
  session: Session,
  text: string,
  { reason = '', yes }: { reason?: string; yes?: boolean },
): Promise<void> {
  const name = childName('retryBatches', text, session.settings.namespace)
  await confirm(session, `Cancel ${shortChildName(name)}? What was not sent stays FAILED.`, yes)
  const { retryBatch } = await session.ferry.retryBatches.cancelRetryBatch({ name, reason })
  await showState(session, retryBatch!)
}

export async function pauseBatch(session: Session, text: string, { reason = '' }: { reason?: string }): Promise<void> {
  const name = childName('retryBatches', text, session.settings.namespace)
  await showState(session, (await session.ferry.retryBatches.pauseRetryBatch({ name, reason })).retryBatch!)
}

export async function resumeBatch(session: Session, text: string, { reason = '' }: { reason?: string }): Promise<void> {
  const name = childName('retryBatches', text, session.settings.namespace)
  await showState(session, (await session.ferry.retryBatches.resumeRetryBatch({ name, reason })).retryBatch!)
}

const showState = (session: Session, batch: RetryBatch): Promise<void> =>
  session.show(RetryBatchSchema, batch, () => {
    const word = enumWord(RetryBatchStateSchema, batch.state).toLowerCase()
    return `${shortChildName(batch.name)} is ${word}: ${countWords(doneOf(batch))} of ${countWords(batch.selected)} have ended\n`
  })

import { ReasonSchema } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import {
  type RetryItem,
  RetryItemSchema,
  type RetryItemState,
  RetryItemStateSchema,
} from '../../proto/gen/ferry/v1/retry_batch_pb.ts'
import { allPages } from '../all-pages.ts'
import { childName } from '../names.ts'
import { enumWord } from '../output/enum-words.ts'
import { oneLine } from '../output/plain-text.ts'
import type { Column } from '../output/table.ts'
import { ageWords } from '../output/words.ts'
import type { Session } from '../session.ts'
import { oneOf } from './attempt-filter.ts'

const defaultLimit = 100

/** What has become of each delivery of a batch. */
export async function batchItems(
  session: Session,
  text: string,
  { state = [], limit = defaultLimit }: { state?: readonly string[]; limit?: number },
): Promise<void> {
  const name = childName('retryBatches', text, session.settings.namespace)
  const states = state.map((word) => oneOf(RetryItemStateSchema, word, '--state') as RetryItemState)
  const { items, hasMore } = await allPages(limit, async (pageSize, pageToken) => {
    const page = await session.ferry.retryBatches.listRetryBatchItems({ name, states, pageSize, pageToken })
    return { items: page.items, next: page.nextPageToken }
  })
  await session.list(RetryItemSchema, items, { columns: itemColumns(session), none: 'no delivery of it is like that' })
  if (hasMore) session.terminal.err('there are more: --limit N shows them\n')
}

export function itemColumns({ nowMs }: Session): Column<RetryItem>[] {
  const now = nowMs()
  return [
    { title: 'RECORD', of: ({ partition, offset }) => `${partition}/${offset}` },
    { title: 'STATE', of: ({ state }) => enumWord(RetryItemStateSchema, state) },
    { title: 'STATUS', of: ({ status }) => (status === 0 ? '' : String(status)), right: true },
    { title: 'REASON', of: ({ reason }) => enumWord(ReasonSchema, reason) },
    { title: 'ENDED', of: ({ endTime }) => ageWords(endTime, now) },
    { title: 'ANSWER', of: ({ text }) => oneLine(text), shrinkTo: 16 },
  ]
}

import {
  type Delivery,
  DeliverySchema,
  DeliveryStateSchema,
  OutcomeSchema,
  ReasonSchema,
} from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { allPages } from '../all-pages.ts'
import { enumWord } from '../output/enum-words.ts'
import { oneLine } from '../output/plain-text.ts'
import type { Column } from '../output/table.ts'
import { ageWords, timeWords } from '../output/words.ts'
import type { Session } from '../session.ts'
import { type DeliveryFlags, deliveryFilter } from './attempt-filter.ts'
import { paintOutcome } from './attempts.ts'

const defaultLimit = 50

/** What waits and what has ended, by partition, the highest offsets first. */
export async function deliveries(
  session: Session,
  text: string,
  { limit = defaultLimit, ...flags }: DeliveryFlags & { readonly limit?: number },
): Promise<void> {
  const useCase = session.nameOf(text)
  const filter = deliveryFilter(session, flags)
  const { items, hasMore } = await allPages(limit, async (pageSize, pageToken) => {
    const { deliveries: page, nextPageToken } = await session.ferry.deliveries.listDeliveries({
      useCase,
      filter,
      pageSize,
      pageToken,
    })
    return { items: page, next: nextPageToken }
  })
  await session.list(DeliverySchema, items, { columns: deliveryColumns(session), none: 'no delivery is like that' })
  if (hasMore) session.terminal.err('there are more: --limit N shows them, --at and the other filters less\n')
}

function deliveryColumns({ paint, nowMs }: Session): Column<Delivery>[] {
  const now = nowMs()
  return [
    { title: 'RECORD', of: ({ partition, offset }) => `${partition}/${offset}` },
    { title: 'STATE', of: ({ state }) => enumWord(DeliveryStateSchema, state) },
    {
      title: 'OUTCOME',
      of: ({ outcome }) => enumWord(OutcomeSchema, outcome),
      paint: (cell, { outcome }) => paintOutcome(paint, outcome)(cell),
    },
    { title: 'STATUS', of: ({ status }) => (status === 0 ? '' : String(status)), right: true },
    { title: 'ATTEMPTS', of: ({ attemptCount }) => String(attemptCount), right: true },
    { title: 'LAST SENT', of: ({ lastAttemptTime }) => timeWords(lastAttemptTime) },
    { title: 'NEXT', of: ({ nextAttemptTime }) => ageWords(nextAttemptTime, now) },
    { title: 'KEY', of: ({ key }) => oneLine(key), shrinkTo: 8 },
    { title: 'REASON', of: ({ reason }) => enumWord(ReasonSchema, reason) },
    { title: 'ANSWER', of: ({ text }) => oneLine(text), shrinkTo: 16 },
  ]
}

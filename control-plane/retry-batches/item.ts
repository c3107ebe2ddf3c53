import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { Reason } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { type RetryItem, RetryItemSchema, RetryItemState as State } from '../../proto/gen/ferry/v1/retry_batch_pb.ts'

/** A selected delivery, as the log has it: see selectionSql. */
export interface ItemRow {
  readonly partition: number
  readonly offset: number
  readonly selected_round: number
  readonly now: '' | 'DELIVERED' | 'FAILED' | 'SKIPPED' | 'SUPERSEDED'
  readonly now_reason: string
  readonly now_round: number
  readonly now_status: number
  readonly now_ms: number
  readonly now_text: string
}

export const itemColumns = 'partition, offset, selected_round, now, now_reason, now_round, now_status, now_ms, now_text'

/** By the log; undefined while it has not ended. */
export function endedState({ now, now_reason }: Pick<ItemRow, 'now' | 'now_reason'>): State | undefined {
  if (now === 'FAILED') return now_reason === 'PAYLOAD_EXPIRED' ? State.PAYLOAD_EXPIRED : State.FAILED_AGAIN
  return now === '' ? undefined : State[now]
}

export const itemOf = (row: ItemRow, state: State): RetryItem =>
  create(RetryItemSchema, {
    ...{ partition: row.partition, offset: BigInt(row.offset), state, round: row.now_round, status: row.now_status },
    ...{ reason: Reason[row.now_reason as keyof typeof Reason] ?? Reason.UNSPECIFIED, text: row.now_text },
    ...(row.now_ms > 0 ? { endTime: timestampFromMs(row.now_ms) } : {}),
  })

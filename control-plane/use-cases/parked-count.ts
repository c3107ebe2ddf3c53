import type { UseCase } from '../../proto/gen/ferry/v1/use_case_pb.ts'

/** What a delete asks before it throws away state. */
export interface ParkedCount {
  /** Deliveries of all lanes that wait for their next attempt. Rejects when that cannot be known now. */
  count(useCase: UseCase): Promise<number>
}

import type { RangeCounts } from '../../proto/gen/ferry/v1/delivery_service_pb.ts'
import type { UseCase } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import type { Fleet } from './fleet.ts'
import { waitUntil } from './wait-until.ts'

/** VerifyRange over everything, as numbers. */
export type Counts = { readonly [K in Exclude<keyof RangeCounts, '$typeName' | '$unknown'>]: number }

/** What VerifyRange says now. */
export async function countNow(fleet: Fleet, { name }: UseCase): Promise<Counts & { readonly complete: boolean }> {
  const { total, complete } = await fleet.client.deliveries.verifyRange({ useCase: name })
  const { offsets, published, holes, delivered, failed, skipped, superseded, onTheWay, missing, repeated, attempts } = total!
  return {
    ...{ offsets: Number(offsets), published: Number(published), holes: Number(holes), delivered: Number(delivered) },
    ...{ failed: Number(failed), skipped: Number(skipped), superseded: Number(superseded), onTheWay: Number(onTheWay) },
    ...{ missing: Number(missing), repeated: Number(repeated), attempts: Number(attempts), complete },
  }
}

/** The certificate that nothing is missing: VerifyRange, asked until it is complete. */
export async function certificate(fleet: Fleet, useCase: UseCase, timeoutMs: number): Promise<Counts> {
  let last: unknown
  return waitUntil(
    `VerifyRange of ${useCase.name} is complete`,
    timeoutMs,
    async () => {
      const counts = await countNow(fleet, useCase)
      last = counts
      return counts.complete && counts
    },
    () => last,
  )
}

import { LaneCondition, LaneState } from '../../proto/gen/ferry/v1/lane_pb.ts'
import type { UseCase } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import type { RangeCounts } from '../../proto/gen/ferry/v1/verification_pb.ts'
import type { Fleet } from './fleet.ts'
import { waitUntil } from './wait-until.ts'

/** VerifyRange over everything, as numbers. */
export type Counts = {
  readonly [K in Exclude<keyof RangeCounts, '$typeName' | '$unknown' | 'expired' | 'outcomeCounts' | 'holeCounts'>]: number
}

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
  try {
    return await waitUntil(
      `VerifyRange of ${useCase.name} is complete`,
      timeoutMs,
      async () => {
        const counts = await countNow(fleet, useCase)
        last = counts
        return counts.complete && counts
      },
      () => last,
    )
  } catch (error) {
    throw new Error(`${(error as Error).message}\n${await describeLanes(fleet, useCase)}`)
  }
}

/** Why its lanes do not move, for whoever reads that a test has failed. */
export async function describeLanes(fleet: Fleet, { name }: UseCase): Promise<string> {
  const { lanes } = await fleet.client.fleet.listLanes({ useCase: name })
  return lanes
    .map((lane) => {
      const state = `${nameIn(LaneState, lane.state)} ${nameIn(LaneCondition, lane.condition)} ${lane.message}`
      return `partition ${lane.id!.partition}: ${state} epoch ${lane.epoch}, cursor ${lane.cursor}, floor ${lane.floor}, end ${lane.endOffset}, parked ${lane.parked}`
    })
    .join('\n')
}

const nameIn = (values: Readonly<Record<string, number>>, value: number): string =>
  Object.keys(values).find((each) => values[each] === value) ?? String(value)

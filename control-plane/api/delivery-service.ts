import { create, toJson } from '@bufbuild/protobuf'
import { DurationSchema } from '@bufbuild/protobuf/wkt'
import type { ServiceImpl } from '@connectrpc/connect'
import { DeliveryService, type WaitingDeliveries, WaitingDeliveriesSchema } from '../../proto/gen/ferry/v1/delivery_service_pb.ts'
import type { LaneOrder } from '../../runtime/lane-keys.ts'
import type { Redis } from '../../runtime/redis.ts'
import { getDelivery } from '../attempts/get-delivery.ts'
import { getLag } from '../attempts/lag.ts'
import { orderDeliveries } from '../attempts/order-deliveries.ts'
import { refuse } from '../attempts/query-error.ts'
import { laneOf, subjectOf } from '../attempts/subject.ts'
import type { VerifiedTopic } from '../attempts/topic-offsets.ts'
import { type VerifySources, verifiedUseCase } from '../attempts/verify-plan.ts'
import { type VerifyLimits, verifyRange } from '../attempts/verify-range.ts'
import type { OperatorLog } from '../audit/operator-log.ts'
import type { Fleet } from '../fleet/fleet.ts'
import type { LeaderClient } from '../fleet/leader-client.ts'
import { askedOf } from '../verifications/asked-of.ts'
import { verifiedMessage } from '../verifications/verified-message.ts'
import { answer, callerOf } from './answer.ts'
import { onLeader } from './on-leader.ts'
import { type QueryOptions, queryMethods } from './query-methods.ts'

export interface DeliveryServiceOptions extends QueryOptions {
  readonly redis: Redis
  readonly offsets: VerifiedTopic
  readonly spool: VerifySources['spool']
  /** See sampleLag. */
  readonly samplesPrefix: string
  readonly verifyLimits: VerifyLimits
  readonly fleet: Pick<Fleet, 'lead' | 'markInbox'>
  readonly leader: LeaderClient
  readonly operatorLog: Pick<OperatorLog, 'write'>
  /** Fields that a lane's inbox may hold. */
  readonly inboxMax: number
}

/** The contract's DeliveryService on the domain. */
export function deliveryService(options: DeliveryServiceOptions): ServiceImpl<typeof DeliveryService> {
  const { pageLimits, verifyLimits, nowMs } = options
  const subject = async (name: string) => subjectOf(await options.useCase(name))
  const order = async (name: string, deliveries: WaitingDeliveries, kind: LaneOrder['kind'], why: string, actor: string) => {
    const { partition, fromOffset, toOffset } = deliveries
    const first = Number(fromOffset)
    const last = toOffset === undefined ? first : Number(toOffset) - 1
    if (last < first) {
      const description = `deliveries.to_offset must be above from_offset ${first}, or left out for that one alone; given ${toOffset}`
      refuse([{ field: 'deliveries.to_offset', description, reason: 'OFFSET_ORDER' }])
    }
    const asked = await subject(name)
    const lane = laneOf(asked, partition)
    await options.operatorLog.write({
      ...{ action: `${kind}_DELIVERIES`, actor, reason: why, useCase: name, uid: asked.uid },
      asked: toJson(WaitingDeliveriesSchema, deliveries, { alwaysEmitImplicit: true }) as object,
    })
    const reason = kind === 'SKIP' ? `skipped by ${actor}: ${why}` : ''
    await orderDeliveries(options.redis, lane, { kind, first, last, reason }, options.inboxMax)
    options.fleet.markInbox(lane)
    return {}
  }
  return {
    ...queryMethods(options),
    getDelivery: ({ useCase, partition, offset }) =>
      answer(async () => ({
        delivery: await getDelivery(options, pageLimits, await subject(useCase), partition, Number(offset)),
      })),
    verifyRange: (request) =>
      answer(async () => {
        const useCase = verifiedUseCase(await options.useCase(request.useCase))
        return verifiedMessage(await verifyRange(options, verifyLimits, useCase, askedOf(request), nowMs()))
      }),
    skipDeliveries: (request, context) =>
      onLeader(
        options,
        DeliveryService,
        context,
        (client, call) => client.skipDeliveries(request, call),
        () => order(request.useCase, request.deliveries!, 'SKIP', request.reason, callerOf(context).actor),
      ),
    retryDeliveries: (request, context) =>
      onLeader(
        options,
        DeliveryService,
        context,
        (client, call) => client.retryDeliveries(request, call),
        () => order(request.useCase, request.deliveries!, 'RETRY', '', callerOf(context).actor),
      ),
    getLag: ({ useCase }) =>
      answer(async () => {
        const { records, parked, etaMs, lagMs, rates, partitions } = await getLag(options, await subject(useCase), nowMs())
        return {
          ...{ records: BigInt(records), parked: BigInt(parked) },
          ...(etaMs === undefined ? {} : { eta: durationOf(etaMs) }),
          ...(lagMs === undefined ? {} : { lag: durationOf(lagMs) }),
          ...(rates && { settledPerSecond: rates.settled, appendedPerSecond: rates.appended }),
          partitions: partitions.map(({ partition, cursor, floor, end, parked }) => ({
            ...{ partition, cursor: BigInt(cursor), floor: BigInt(floor), endOffset: BigInt(end), parked: BigInt(parked) },
          })),
        }
      }),
  }
}

const durationOf = (ms: number) =>
  create(DurationSchema, { seconds: BigInt(Math.floor(ms / 1000)), nanos: (ms % 1000) * 1_000_000 })

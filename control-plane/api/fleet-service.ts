import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import type { ServiceImpl } from '@connectrpc/connect'
import { FleetService } from '../../proto/gen/ferry/v1/fleet_service_pb.ts'
import type { LogReader } from '../attempts/log-reader.ts'
import { listChanges } from '../audit/list-changes.ts'
import type { OperatorLog } from '../audit/operator-log.ts'
import type { Fleet } from '../fleet/fleet.ts'
import type { LaneView } from '../fleet/lane-view.ts'
import type { LeaderClient } from '../fleet/leader-client.ts'
import type { Worker } from '../fleet/workers.ts'
import { answer, callerOf, seenBy } from './answer.ts'
import { onLeader } from './on-leader.ts'

export interface FleetServiceOptions {
  readonly log: LogReader
  readonly pageBytesMax: number
  readonly operatorLog: Pick<OperatorLog, 'write'>
}

/** The contract's FleetService. Only the leader knows workers and lanes; other replicas ask it. */
export function fleetService(
  fleet: Fleet,
  leader: LeaderClient,
  { log, pageBytesMax, operatorLog }: FleetServiceOptions,
): ServiceImpl<typeof FleetService> {
  return {
    listWorkers: (request, context) =>
      onLeader(
        { fleet, leader },
        FleetService,
        context,
        (client, options) => client.listWorkers(request, options),
        async () => ({ workers: fleet.workers().map(writeWorker) }),
      ),
    drainWorker: (request, context) =>
      onLeader(
        { fleet, leader },
        FleetService,
        context,
        (client, options) => client.drainWorker(request, options),
        async () => {
          const { instance, reason } = request
          const { actor } = callerOf(context)
          const resource = { useCase: `workers/${instance}`, uid: '' }
          await operatorLog.write({ action: 'DRAIN_WORKER', actor, reason, ...resource, asked: { instance } })
          return { worker: writeWorker(fleet.drainWorker(instance)) }
        },
      ),
    listLanes: (request, context) =>
      onLeader(
        { fleet, leader },
        FleetService,
        context,
        (client, options) => client.listLanes(request, options),
        async () => {
          const { lanes, nextPageToken } = await fleet.lanes(
            request.useCase,
            request.pageSize,
            request.pageToken,
            seenBy(context),
          )
          return { lanes: lanes.map(writeLane), nextPageToken }
        },
      ),
    listChanges: (request, context) =>
      answer(async () => {
        const page = await listChanges(log, request, callerOf(context).identity.namespaces, pageBytesMax)
        return { changes: [...page.changes], nextPageToken: page.nextPageToken }
      }),
  }
}

const writeWorker = ({ worker, lanes }: { readonly worker: Worker; readonly lanes: number }) => ({
  instance: worker.instance,
  description: worker.description,
  heartbeatTime: timestampFromMs(worker.heardWallMs),
  ...(worker.startTimeMs > 0 && { startTime: timestampFromMs(worker.startTimeMs) }),
  lanes,
  draining: worker.draining,
})

const writeLane = ({ id, useCase, state, condition, message, worker, epoch, figures }: LaneView) => ({
  id,
  useCase,
  state,
  condition,
  message,
  worker,
  epoch: BigInt(epoch),
  cursor: BigInt(figures?.cursor ?? 0),
  floor: BigInt(figures?.floor ?? 0),
  endOffset: BigInt(figures?.endOffset ?? -1),
  parked: BigInt(figures?.parked ?? 0),
  ...(figures && { reportTime: timestampFromMs(figures.timeMs) }),
})

import type { LaneId } from '../../runtime/lane-keys.ts'
import type { Plan } from '../deliver/plan.ts'
import { type EncodedLane, encodeLane } from '../record/encode-attempt.ts'

/** The columns that all rows of a lane share, by the revision that it works by. */
export function encodeRoute(plan: Plan, lane: { readonly id: LaneId; readonly epoch: number }, worker: string): EncodedLane {
  const { uid, namespace, id, revision, cluster, topic, method, url } = plan
  const { successRetentionS, failureRetentionS, logBody, requestBodyBytesMax } = plan
  return encodeLane({
    ...{ uid, namespace, useCase: id, revision, cluster, topic, partition: lane.id.partition, epoch: lane.epoch },
    ...{ worker, method, url, successRetentionS, failureRetentionS, logBody, requestBodyBytesMax },
  })
}

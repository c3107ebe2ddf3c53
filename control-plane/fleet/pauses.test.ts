import { expect, test } from 'vitest'
import { LaneCondition } from '../../proto/gen/ferry/v1/lane_pb.ts'
import type { LaneReport } from './heartbeat.ts'
import { askedPauses } from './pauses.ts'

const report = (uid: string, partition: number, revision: number, condition: LaneCondition): LaneReport => ({
  ...{
    id: { uid, cluster: 'default', topic: 't', partition },
    key: `${uid}/${partition}`,
    epoch: 1,
    state: 'RUNNING',
    cursor: 0,
  },
  ...{ condition, message: `by ${revision}`, floor: 0, endOffset: 0, parked: 0, releasedVersion: 0, seenEpoch: 0, revision },
  ...{ rateSharePpm: 0, liveDemandPpm: 0, reportTimeMs: 0 },
})

test('a use case is paused once, by the latest revision whose endpoint asked for it', () => {
  const { PAUSED_BY_ANSWER, BREAKER_OPEN } = LaneCondition
  const reports = [report('a', 0, 3, PAUSED_BY_ANSWER), report('a', 1, 5, PAUSED_BY_ANSWER), report('a', 2, 4, PAUSED_BY_ANSWER)]
  expect(askedPauses([...reports, report('b', 0, 9, BREAKER_OPEN)])).toEqual([{ uid: 'a', revision: 5, reason: 'by 5' }])
})

import { WorkerSchema } from '../../proto/gen/ferry/v1/fleet_service_pb.ts'
import { oneLine } from '../output/plain-text.ts'
import { ageWords, countWords } from '../output/words.ts'
import type { Session } from '../session.ts'

/** The workers that the leader has heard from. */
export async function workers(session: Session): Promise<void> {
  const { workers: items } = await session.ferry.fleet.listWorkers({})
  const nowMs = session.nowMs()
  await session.list(WorkerSchema, items, {
    none: 'no worker has reported; start one: npm run worker',
    columns: [
      { title: 'INSTANCE', of: ({ instance }) => instance },
      { title: 'LANES', of: ({ lanes }) => countWords(lanes), right: true },
      { title: 'STATE', of: ({ draining }) => (draining ? 'DRAINING' : 'RUNNING') },
      { title: 'HEARD', of: ({ heartbeatTime }) => ageWords(heartbeatTime, nowMs) },
      { title: 'STARTED', of: ({ startTime }) => ageWords(startTime, nowMs) },
      { title: 'WHERE', of: ({ description }) => oneLine(description), shrinkTo: 12 },
    ],
  })
}

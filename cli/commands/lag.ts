import { durationMs } from '@bufbuild/protobuf/wkt'
import { type GetLagResponse, GetLagResponseSchema } from '../../proto/gen/ferry/v1/delivery_service_pb.ts'
import { parseDurationMs } from '../duration.ts'
import { ExitCode } from '../exit-code.ts'
import { shortName } from '../names.ts'
import { countWords, durationWords } from '../output/words.ts'
import type { Session } from '../session.ts'
import { interruptedWithin } from '../wait.ts'

export interface LagOptions {
  /** True: every two seconds; else how often. */
  readonly watch?: boolean | string
}

const watchMs = 2000

/** How far a use case is behind, and when it will have caught up. Watched until Ctrl-C. */
export async function lag(session: Session, text: string, { watch }: LagOptions): Promise<ExitCode> {
  const useCase = session.nameOf(text)
  const { terminal } = session
  if (watch === undefined || watch === false) {
    const answer = await session.ferry.deliveries.getLag({ useCase })
    await session.show(GetLagResponseSchema, answer, () => summary(session, useCase, answer) + partitions(session, answer))
    return ExitCode.done
  }
  const everyMs = watch === true ? watchMs : parseDurationMs(watch, '--watch')
  do {
    const answer = await session.ferry.deliveries.getLag({ useCase })
    await session.show(
      GetLagResponseSchema,
      answer,
      () => `${new Date(session.nowMs()).toISOString().slice(11, 19)}Z  ${summary(session, useCase, answer)}`,
    )
  } while (!(await interruptedWithin(everyMs, terminal.interrupted)))
  return ExitCode.interrupted
}

function summary({ paint }: Session, useCase: string, { records, parked, eta }: GetLagResponse): string {
  const behind = records === 0n ? paint.good('nothing behind') : `${countWords(records)} records behind`
  const waiting = parked === 0n ? '' : `, ${paint.warn(`${countWords(parked)} parked`)}`
  const when = records === 0n ? '' : eta === undefined ? ', it does not shrink' : `, gone in ${durationWords(durationMs(eta))}`
  return `${shortName(useCase)}: ${behind}${waiting}${when}\n`
}

function partitions(session: Session, { partitions: rows }: GetLagResponse): string {
  return session.table(
    [
      { title: 'PARTITION', of: ({ partition }) => String(partition), right: true },
      { title: 'BEHIND', of: ({ cursor, endOffset }) => countWords(endOffset > cursor ? endOffset - cursor : 0n), right: true },
      { title: 'PARKED', of: ({ parked }) => countWords(parked), right: true },
      { title: 'FLOOR', of: ({ floor }) => String(floor), right: true },
      { title: 'CURSOR', of: ({ cursor }) => String(cursor), right: true },
      { title: 'END', of: ({ endOffset }) => String(endOffset), right: true },
    ],
    rows,
  )
}

import { UseCaseSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { usageError } from '../cli-error.ts'
import { shortName } from '../names.ts'
import { timeAndAge } from '../output/words.ts'
import { parseTimeAhead } from '../point-in-time.ts'
import type { Session } from '../session.ts'

export interface PauseOptions {
  readonly reason: string
  /** A time, or so long from now. */
  readonly until?: string
}

/** Drains the use case's lanes and holds them. */
export async function pause(session: Session, text: string, { reason, until }: PauseOptions): Promise<void> {
  const name = session.nameOf(text)
  if (reason.trim() === '') throw usageError('--reason must say why: everybody who wonders sees it')
  const nowMs = session.nowMs()
  const request = { name, reason, ...(until !== undefined && { until: parseTimeAhead(until, '--until', nowMs) }) }
  const { useCase } = await session.ferry.useCases.pauseUseCase(request)
  const end = useCase?.status?.pauseUntil
  await session.show(UseCaseSchema, useCase!, () =>
    end === undefined
      ? `${shortName(name)} is paused until somebody runs: ferry resume ${shortName(name)}\n`
      : `${shortName(name)} is paused until ${timeAndAge(end, nowMs)}\n`,
  )
}

/** Lets it go on where it stopped. */
export async function resume(session: Session, text: string): Promise<void> {
  const { useCase } = await session.ferry.useCases.resumeUseCase({ name: session.nameOf(text) })
  await session.show(UseCaseSchema, useCase!, () => `${shortName(useCase!.name)} goes on\n`)
}

import { randomUUID } from 'node:crypto'
import { type VerifyRangeResponse, VerifyRangeResponseSchema } from '../../proto/gen/ferry/v1/verification_pb.ts'
import { usageError } from '../cli-error.ts'
import { ExitCode } from '../exit-code.ts'
import { parseTime } from '../point-in-time.ts'
import { parseRange } from '../positions.ts'
import type { Session } from '../session.ts'
import { certificateText } from './certificate-text.ts'

export interface VerifyOptions {
  readonly since?: string
  readonly until?: string
  /** Counts beside the call, any length, and writes what is signed there. */
  readonly certificate?: string
}

/** What became of every offset, and what is missing. The exit code says it too. */
export async function verify(
  session: Session,
  text: string,
  ranges: readonly string[],
  { since, until, certificate }: VerifyOptions,
): Promise<ExitCode> {
  const useCase = session.nameOf(text)
  const nowMs = session.nowMs()
  const parsed = ranges.map(parseRange)
  if (
    (since !== undefined && parsed.some(({ from }) => from !== undefined)) ||
    (until !== undefined && parsed.some(({ to }) => to !== undefined))
  )
    throw usageError('both offsets and a time say where the range ends', 'name partitions alone beside --since and --until')
  const request = {
    useCase,
    ranges: parsed.map(({ partition, from, to }) => ({
      partition,
      ...(from !== undefined && { fromOffset: from }),
      ...(to !== undefined && { toOffset: to }),
    })),
    ...(since !== undefined && { fromTime: parseTime(since, '--since', nowMs) }),
    ...(until !== undefined && { toTime: parseTime(until, '--until', nowMs) }),
  }
  if (certificate !== undefined) {
    const { verification } = await session.ferry.verifications.createVerification({ ...request, requestId: randomUUID() })
    return (await import('./follow-verification.ts')).followVerification(session, verification!.name, certificate)
  }
  const answer = await session.ferry.deliveries.verifyRange(request)
  await session.show(VerifyRangeResponseSchema, answer, () => certificateText(session, useCase, answer))
  return exitCodeOf(answer)
}

export function exitCodeOf({ total, complete }: Pick<VerifyRangeResponse, 'total' | 'complete'>): ExitCode {
  if ((total?.missing ?? 0n) > 0n) return ExitCode.missing
  return complete ? ExitCode.done : ExitCode.notGood
}

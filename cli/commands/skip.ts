import { usageError } from '../cli-error.ts'
import { confirm } from '../confirm.ts'
import { ExitCode } from '../exit-code.ts'
import { shortName } from '../names.ts'
import { parseRange } from '../positions.ts'
import type { Session } from '../session.ts'

/** Ends deliveries that wait as SKIPPED. */
export async function skip(
  session: Session,
  text: string,
  record: string,
  { reason, yes }: { reason: string; yes?: boolean },
): Promise<void> {
  const useCase = session.nameOf(text)
  const deliveries = waitingOf(record)
  await confirm(session, `Skip what waits of ${shortName(useCase)} ${record}? It is not sent then.`, yes)
  await session.ferry.deliveries.skipDeliveries({ useCase, deliveries, reason })
  accepted(session, `${shortName(useCase)} ${record} is being skipped`)
}

/** Sends deliveries that wait again now, with all of their retries before them. */
export async function retryWaiting(session: Session, text: string, record: string): Promise<ExitCode> {
  const useCase = session.nameOf(text)
  await session.ferry.deliveries.retryDeliveries({ useCase, deliveries: waitingOf(record) })
  accepted(session, `${shortName(useCase)} ${record} is sent again within about a second`)
  return ExitCode.done
}

function waitingOf(record: string) {
  const { partition, from, to } = parseRange(record)
  if (from === undefined || to === undefined)
    throw usageError(`"${record}" has no end`, 'name the deliveries: PARTITION/OFFSET, or PARTITION/FIRST-LAST')
  return { partition, fromOffset: from, ...(to !== from + 1n && { toOffset: to }) }
}

function accepted({ terminal, format }: Session, sentence: string): void {
  terminal.out(format === 'table' ? `${sentence}\n` : '{}\n')
}

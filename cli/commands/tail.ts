import { Code, ConnectError } from '@connectrpc/connect'
import { type Attempt, AttemptSchema, Outcome, OutcomeSchema, ReasonSchema } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import type { TailResponse } from '../../proto/gen/ferry/v1/tail_pb.ts'
import { parseDurationMs } from '../duration.ts'
import { ExitCode } from '../exit-code.ts'
import { enumWord } from '../output/enum-words.ts'
import { oneLine } from '../output/plain-text.ts'
import { jsonOf, yamlOf } from '../output/show.ts'
import { cut } from '../output/text-width.ts'
import { countWords, protoDurationWords, timeWords } from '../output/words.ts'
import type { Session } from '../session.ts'
import { interruptedWithin } from '../wait.ts'
import { type AttemptFlags, attemptFilter } from './attempt-filter.ts'
import { paintOutcome } from './attempts.ts'

/** Between two streams: the server ends each after a while, and when it stops. */
const againMs = 1000

export interface TailOptions extends AttemptFlags {
  /** So many a second. */
  readonly limit?: number
  /** End after so long. */
  readonly for?: string
}

/** Attempts as they are logged, until Ctrl-C. A stream that ends is opened again; what was logged between is said, not shown. */
export async function tail(session: Session, text: string, { limit, for: length, ...flags }: TailOptions): Promise<ExitCode> {
  const { terminal } = session
  const request = {
    useCase: session.nameOf(text),
    filter: attemptFilter(session, flags),
    ...(limit !== undefined && { attemptsPerSecondMax: limit }),
  }
  const isOver = length === undefined ? undefined : AbortSignal.timeout(parseDurationMs(length, '--for'))
  const ended = isOver === undefined ? terminal.interrupted : AbortSignal.any([terminal.interrupted, isOver])
  let hasStarted = false
  do {
    try {
      // It ends when the server says so: a deadline of ours would be one more end.
      for await (const message of session.ferry.deliveries.tail(request, { timeoutMs: 0, signal: ended })) {
        if (!hasStarted && session.format === 'table') terminal.err('waits for attempts; Ctrl-C ends it\n')
        hasStarted = true
        await show(session, message)
      }
    } catch (error) {
      if (ended.aborted) break
      if (!hasStarted || !isPassing(error)) throw error
      terminal.err('the connection is lost; what is logged until it is back is in ferry attempts\n')
    }
  } while (!(await interruptedWithin(againMs, ended)))
  return terminal.interrupted.aborted ? ExitCode.interrupted : ExitCode.done
}

async function show(session: Session, { attempts, skipped }: TailResponse): Promise<void> {
  for (const attempt of attempts) session.terminal.out(await attemptText(session, attempt))
  if (skipped > 0n)
    session.terminal.err(`${countWords(skipped)} more are not shown: ferry attempts has them; --limit N shows more a second\n`)
}

/** Another replica, or the same one in a moment, goes on. */
const isPassing = (error: unknown): boolean =>
  error instanceof ConnectError && [Code.Unavailable, Code.Aborted, Code.Canceled, Code.DeadlineExceeded].includes(error.code)

/** One line; as JSON too, so that programs read line by line. */
async function attemptText(session: Session, attempt: Attempt): Promise<string> {
  if (session.format === 'json') return `${JSON.stringify(jsonOf(AttemptSchema, attempt))}\n`
  if (session.format === 'yaml') return `---\n${await yamlOf(jsonOf(AttemptSchema, attempt))}`
  const { attemptTime, partition, offset, outcome, status, latency, key, reason, error, responseBody } = attempt
  const head = [timeWords(attemptTime), `${partition}/${offset}`.padEnd(12)].join('  ')
  const word = paintOutcome(session.paint, outcome)(enumWord(OutcomeSchema, outcome).padEnd(10))
  const answer = outcome === Outcome.DELIVERED ? '' : oneLine(error || responseBody)
  const rest = [
    status === 0 ? '   ' : status,
    attempt.attempt === 0 ? '' : protoDurationWords(latency).padStart(8),
    oneLine(key),
    enumWord(ReasonSchema, reason),
    answer,
  ]
  const line = rest.filter((each) => each !== '').join('  ')
  const { width } = session.terminal
  return `${head}  ${word}  ${width === undefined ? line : cut(line, Math.max(20, width - 48))}\n`
}

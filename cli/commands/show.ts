import {
  type Attempt,
  type Delivery,
  DeliverySchema,
  DeliveryStateSchema,
  OutcomeSchema,
  ReasonSchema,
  TriggerSchema,
} from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { shortName } from '../names.ts'
import { enumWord } from '../output/enum-words.ts'
import { oneLine, plainText } from '../output/plain-text.ts'
import { protoDurationWords, timeAndAge, timeWords } from '../output/words.ts'
import { parsePosition } from '../positions.ts'
import type { Session } from '../session.ts'
import { paintOutcome } from './attempts.ts'

/** One delivery: where it is, and every attempt that the log still has. */
export async function show(
  session: Session,
  text: string,
  record: string,
  { bodies = false }: { bodies?: boolean },
): Promise<void> {
  const { delivery } = await session.ferry.deliveries.getDelivery({ useCase: session.nameOf(text), ...parsePosition(record) })
  await session.show(DeliverySchema, delivery!, () => headOf(session, delivery!) + timelineOf(session, delivery!, bodies))
}

function headOf({ paint, nowMs }: Session, delivery: Delivery): string {
  const { useCase, cluster, topic, partition, offset, state, outcome, reason, nextAttemptTime, attemptCount, attempts } = delivery
  const last = attempts.at(-1)
  const lines = [
    ['use case', shortName(useCase)],
    ['record', `${cluster === 'default' || cluster === '' ? '' : `${cluster}:`}${topic}/${partition}/${offset}`],
    ['key', last === undefined ? '' : oneLine(last.key)],
    ['produced', timeAndAge(last?.recordTime, nowMs())],
    ['state', enumWord(DeliveryStateSchema, state)],
    ['outcome', paintOutcome(paint, outcome)(enumWord(OutcomeSchema, outcome))],
    ['why', enumWord(ReasonSchema, reason)],
    ['next', timeAndAge(nextAttemptTime, nowMs())],
    ['attempts', String(attemptCount)],
  ]
  return lines
    .filter(([, value]) => value !== '')
    .map(([title, value]) => `${title!.padEnd(10)}${value}\n`)
    .join('')
}

function timelineOf(session: Session, { attempts }: Delivery, bodies: boolean): string {
  if (attempts.length === 0) return '\nthe log has no attempt of it\n'
  return attempts
    .map((attempt, index) => `\n${attemptText(session, attempt, index + 1, bodies || index === attempts.length - 1)}`)
    .join('')
}

function attemptText({ paint }: Session, attempt: Attempt, number: number, whole: boolean): string {
  const { attemptTime, outcome, reason, status, latency, trigger, error, url, method, worker, round, revision, retryBatch } =
    attempt
  const what = [enumWord(OutcomeSchema, outcome), status === 0 ? '' : String(status), enumWord(ReasonSchema, reason)].filter(
    (word) => word !== '',
  )
  const head = `${paint.strong(`#${number}`)}  ${timeWords(attemptTime)}  ${paintOutcome(paint, outcome)(what.join(' '))}  ${paint.faint(protoDurationWords(latency))}`
  const lines = [
    [
      'by',
      [
        enumWord(TriggerSchema, trigger),
        round === 0 ? '' : `round ${round}`,
        retryBatch,
        `revision ${revision}`,
        `worker ${worker}`,
      ]
        .filter((word) => word !== '')
        .join(', '),
    ],
    ['request', url === '' ? '' : `${method} ${plainText(url)}`],
    ['error', oneLine(error)],
    ...(whole ? wholeLines(attempt) : []),
  ]
  return `${head}\n${lines
    .filter(([, value]) => value !== '')
    .map(([title, value]) => `    ${paint.faint(title!.padEnd(9))}${value}\n`)
    .join('')}`
}

/** Headers and bodies, as the log has them. */
const wholeLines = ({ requestHeaders, requestBody, responseHeaders, responseBody }: Attempt): [string, string][] => [
  ...Object.entries(requestHeaders).map(([name, value]): [string, string] => ['>', `${name}: ${oneLine(value)}`]),
  ['sent', indented(requestBody)],
  ...Object.entries(responseHeaders).map(([name, value]): [string, string] => ['<', `${name}: ${oneLine(value)}`]),
  ['answer', indented(responseBody)],
]

const indented = (body: string): string => plainText(body.trimEnd()).replaceAll('\n', '\n             ')

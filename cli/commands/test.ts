import { readFileSync } from 'node:fs'
import { Outcome, OutcomeSchema, ReasonSchema } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { type TestResponse, TestResponseSchema } from '../../proto/gen/ferry/v1/preview_pb.ts'
import { usageError } from '../cli-error.ts'
import { ExitCode } from '../exit-code.ts'
import { enumWord } from '../output/enum-words.ts'
import { oneLine, plainText } from '../output/plain-text.ts'
import { titledLines } from '../output/titled-lines.ts'
import { protoDurationWords } from '../output/words.ts'
import { parsePosition } from '../positions.ts'
import type { Session } from '../session.ts'
import { paintOutcome } from './attempts.ts'
import { recordText } from './preview.ts'
import { readDefinition } from './read-definition.ts'

export interface TestOptions {
  readonly file?: string
  readonly at?: string
  readonly value?: string
  readonly valueFile?: string
  readonly tombstone?: boolean
  readonly key?: string
  readonly header?: readonly string[]
}

/** Sends one record, or a sample, to the endpoint now. The exit code says whether it would count as delivered. */
export async function test(session: Session, text: string | undefined, options: TestOptions): Promise<ExitCode> {
  const record = recordOf(options)
  const useCase = await readDefinition(session, text, options.file)
  const answer = await session.ferry.useCases.test({ useCase, record })
  await session.show(TestResponseSchema, answer, () => answerText(session, answer, options.at ?? 'sample'))
  return answer.outcome === Outcome.DELIVERED ? ExitCode.done : ExitCode.notGood
}

function recordOf({ at, value, valueFile, tombstone = false, key, header = [] }: TestOptions) {
  const given = [at, value, valueFile, tombstone || undefined].filter((each) => each !== undefined)
  if (given.length !== 1)
    throw usageError(
      'what is sent? Give one of them',
      '--at PARTITION/OFFSET',
      '--value \'{"id": 1}\'',
      '--value-file FILE',
      '--tombstone',
    )
  if (at !== undefined) {
    if (key !== undefined || header.length > 0)
      throw usageError('--key and --header belong to a sample; the record --at has its own')
    return { case: 'position', value: parsePosition(at) } as const
  }
  const bytes = value !== undefined ? new TextEncoder().encode(value) : valueFile === undefined ? undefined : readValue(valueFile)
  const headers = Object.fromEntries(header.map(headerOf))
  const sample = { ...(bytes && { value: bytes }), ...(key !== undefined && { key: new TextEncoder().encode(key) }), headers }
  return { case: 'sample', value: sample } as const
}

function readValue(path: string): Uint8Array {
  try {
    return readFileSync(path)
  } catch (error) {
    throw usageError(`cannot read ${path} (--value-file): ${(error as Error).message}`)
  }
}

function headerOf(text: string): [string, string] {
  const match = /^([^=:]+)[=:]\s*(.*)$/s.exec(text)
  if (match === null) throw usageError(`--header ${text}: is no header`, 'write name=value')
  return [match[1]!.trim(), match[2]!]
}

function answerText(
  session: Session,
  { record, status, responseHeaders, responseBody, error, outcome, reason, latency }: TestResponse,
  place: string,
): string {
  const { paint } = session
  const sent = recordText(session, record!, place)
  const verdict = [enumWord(OutcomeSchema, outcome), enumWord(ReasonSchema, reason)].filter((word) => word !== '').join(' ')
  const lines = [
    ['answer', status === 0 ? oneLine(error) || 'none: nothing was sent' : `${status} in ${protoDurationWords(latency)}`],
    ...Object.entries(responseHeaders).map(([name, value]) => ['', `${name}: ${oneLine(value)}`]),
    ['', plainText(responseBody.trimEnd())],
    ['means', verdict === '' ? '' : paintOutcome(paint, outcome)(verdict)],
  ]
  return sent + titledLines(paint, lines)
}

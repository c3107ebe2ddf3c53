import { ReasonSchema } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import {
  type PreviewedRequest,
  PreviewResponseSchema,
  PreviewVerdict,
  PreviewVerdictSchema,
  type RecordPreview,
} from '../../proto/gen/ferry/v1/preview_pb.ts'
import { usageError } from '../cli-error.ts'
import { enumWord } from '../output/enum-words.ts'
import { oneLine, plainText } from '../output/plain-text.ts'
import { titledLines } from '../output/titled-lines.ts'
import { parseTime } from '../point-in-time.ts'
import { parsePosition } from '../positions.ts'
import type { Session } from '../session.ts'
import { readDefinition } from './read-definition.ts'

export interface PreviewOptions {
  readonly file?: string
  readonly at?: string
  readonly since?: string
  readonly limit?: number
}

/** What would become of real records. Sends nothing. */
export async function preview(
  session: Session,
  text: string | undefined,
  { file, at, since, limit }: PreviewOptions,
): Promise<void> {
  if (at !== undefined && since !== undefined) throw usageError('--at and --since both say which records: give one')
  const useCase = await readDefinition(session, text, file)
  const answer = await session.ferry.useCases.preview({
    useCase,
    ...(limit !== undefined && { maxRecords: limit }),
    ...(at !== undefined && { records: { case: 'position', value: parsePosition(at) } as const }),
    ...(since !== undefined && { records: { case: 'time', value: parseTime(since, '--since', session.nowMs()) } as const }),
  })
  await session.show(PreviewResponseSchema, answer, () => {
    const records = answer.records.map((record) => recordText(session, record)).join('\n')
    const problems = answer.problems.map((problem) => `${session.paint.warn('problem')}  ${plainText(problem)}\n`).join('')
    return records + problems || 'there is no record yet\n'
  })
}

/** A record and what would be sent of it. */
export function recordText(session: Session, record: RecordPreview, place = `${record.partition}/${record.offset}`): string {
  const { paint } = session
  const { verdict, reason, error, key, decoded, value, valueBytes, request } = record
  const paintVerdict = verdict === PreviewVerdict.SEND ? paint.good : verdict === PreviewVerdict.FAIL ? paint.bad : paint.warn
  const why = [enumWord(ReasonSchema, reason), oneLine(error)].filter((word) => word !== '').join(': ')
  const lines = [
    ['key', oneLine(textOf(key))],
    ['value', valueBytes < 0n ? '(none: a tombstone)' : oneLine(decoded === '' ? textOf(value) : decoded)],
    ...requestLines(request),
  ]
  const head = `${paint.strong(place)}  ${paintVerdict(enumWord(PreviewVerdictSchema, verdict))}${why === '' ? '' : `  ${why}`}\n`
  return head + titledLines(paint, lines)
}

const requestLines = (request: PreviewedRequest | undefined): [string, string][] =>
  request === undefined
    ? []
    : [
        ['request', `${request.method} ${plainText(request.url)}`],
        ...Object.entries(request.headers).map(([name, value]): [string, string] => ['', `${name}: ${oneLine(value)}`]),
        ['body', oneLine(request.body)],
      ]

const textOf = (bytes: Uint8Array): string => new TextDecoder().decode(bytes)

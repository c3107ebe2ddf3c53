import { OutcomeSchema, ReasonSchema } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import {
  HoleKindSchema,
  IncompleteReason,
  IncompleteReasonSchema,
  type PartitionVerification,
  type RangeCounts,
  VerificationWarning,
  VerificationWarningSchema,
  type VerifyRangeResponse,
} from '../../proto/gen/ferry/v1/verification_pb.ts'
import { shortName } from '../names.ts'
import { enumWord } from '../output/enum-words.ts'
import { countWords, timeWords } from '../output/words.ts'
import type { Session } from '../session.ts'

const runsShownMax = 20
const partitionsShownMax = 50

/** The figures of a certificate: who has counted what, by whichever call. */
type Certificate = Omit<VerifyRangeResponse, '$typeName' | '$unknown'>

const counted: readonly { readonly title: string; readonly of: (counts: RangeCounts) => bigint }[] = [
  { title: 'published', of: ({ published }) => published },
  { title: 'delivered', of: ({ delivered }) => delivered },
  { title: 'failed', of: ({ failed }) => failed },
  { title: 'skipped', of: ({ skipped }) => skipped },
  { title: 'superseded', of: ({ superseded }) => superseded },
  { title: 'on the way', of: ({ onTheWay }) => onTheWay },
  { title: 'expired', of: ({ expired }) => expired },
  { title: 'missing', of: ({ missing }) => missing },
  { title: 'holes', of: ({ holes }) => holes },
]

export function certificateText(session: Session, useCase: string, answer: Certificate): string {
  const { total, partitions, verifyTime } = answer
  const shown = partitions.slice(0, partitionsShownMax)
  const more =
    partitions.length > shown.length ? `and ${partitions.length - shown.length} more partitions (-o json has all)\n` : ''
  const figures = figuresText(total!)
  return `${shortName(useCase)}  ${timeWords(verifyTime)}\n${figures}\n${partitionTable(session, shown)}${more}\n${missingRuns(answer)}${notes(session, answer)}${verdict(session, answer)}\n`
}

function figuresText(total: RangeCounts): string {
  const why: Readonly<Record<string, string>> = {
    failed: reasonsOf(total, 'FAILED'),
    skipped: reasonsOf(total, 'SKIPPED'),
    superseded: reasonsOf(total, 'SUPERSEDED'),
    holes: total.holeCounts.map(({ kind, count }) => `${enumWord(HoleKindSchema, kind)} ${countWords(count)}`).join(', '),
  }
  const rows = [
    ...counted,
    { title: 'repeated', of: ({ repeated }: RangeCounts) => repeated },
    { title: 'attempts', of: ({ attempts }: RangeCounts) => attempts },
  ]
  const width = Math.max(...rows.map(({ of }) => countWords(of(total)).length))
  return rows
    .map(({ title, of }) => `  ${title.padEnd(12)}${countWords(of(total)).padStart(width)}  ${why[title] ?? ''}`.trimEnd())
    .join('\n')
    .concat('\n')
}

const reasonsOf = ({ outcomeCounts }: RangeCounts, outcome: string): string =>
  outcomeCounts
    .filter((each) => enumWord(OutcomeSchema, each.outcome) === outcome && each.reason !== 0)
    .map(({ reason, count }) => `${enumWord(ReasonSchema, reason)} ${countWords(count)}`)
    .join(', ')

function partitionTable(session: Session, partitions: readonly PartitionVerification[]): string {
  return session.table(
    [
      { title: 'PARTITION', of: ({ partition }) => String(partition), right: true },
      { title: 'FROM', of: ({ fromOffset }) => String(fromOffset), right: true },
      { title: 'TO', of: ({ toOffset }) => String(toOffset), right: true },
      ...counted.map(({ title, of }) => ({
        title: title.toUpperCase(),
        of: ({ counts }: PartitionVerification) => (of(counts!) === 0n ? '' : countWords(of(counts!))),
        right: true,
      })),
    ],
    partitions,
  )
}

function missingRuns({ partitions }: Certificate): string {
  const runs = partitions.flatMap(({ partition, missing }) =>
    missing.map(
      ({ firstOffset, lastOffset }) => `${partition}/${firstOffset}${firstOffset === lastOffset ? '' : `-${lastOffset}`}`,
    ),
  )
  if (runs.length === 0) return ''
  const more = runs.length > runsShownMax ? ` and ${runs.length - runsShownMax} more runs (-o json has them)` : ''
  return `missing: ${runs.slice(0, runsShownMax).join(' ')}${more}\n`
}

const whyIncomplete: Readonly<Partial<Record<IncompleteReason, string>>> = {
  [IncompleteReason.MISSING]: 'records below the floor have no outcome: see what is missing',
  [IncompleteReason.ON_THE_WAY]: 'records have not ended yet: wait (ferry lag), or verify up to the floor',
  [IncompleteReason.SPOOL_NOT_DRAINED]: 'inserts wait in the spool until ClickHouse is back: verify again then',
  [IncompleteReason.LANE_STATE_UNKNOWN]: 'Redis has no state of a lane: ferry lanes --stuck',
  [IncompleteReason.LOG_EXPIRED]: 'outcomes have expired: verify younger records',
  [IncompleteReason.TOPIC_CHANGED]: 'the topic was created again or cut: the counts prove nothing about what was before',
}

const whyWarned: Readonly<Partial<Record<VerificationWarning, string>>> = {
  [VerificationWarning.DELETED_UNREAD]:
    'Kafka had deleted offsets before they could be read: whatever they were, they were not delivered',
  [VerificationWarning.BEFORE_START]: 'the range begins below where the use case started',
}

function notes({ paint }: Session, { incompleteReasons, warnings, spooledInserts }: Certificate): string {
  const spool = spooledInserts === 0n ? '' : `spool: ${countWords(spooledInserts)} inserts\n`
  const incomplete = incompleteReasons.map((each) => `${enumWord(IncompleteReasonSchema, each)}: ${whyIncomplete[each] ?? ''}\n`)
  const warned = warnings.map((each) => `${enumWord(VerificationWarningSchema, each)}: ${whyWarned[each] ?? ''}\n`)
  return spool + [...incomplete, ...warned].map((line) => paint.warn(line)).join('')
}

function verdict({ paint }: Session, { total, complete }: Certificate): string {
  const { missing, published } = total!
  if (missing > 0n) return paint.bad(`${countWords(missing)} of ${countWords(published)} records are MISSING`)
  if (complete) return paint.good(`complete: each of ${countWords(published)} records has an outcome, none is missing`)
  return paint.warn('not complete yet; none is missing so far')
}

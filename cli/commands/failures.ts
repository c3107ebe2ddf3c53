import { ReasonSchema } from '../../proto/gen/ferry/v1/delivery_pb.ts'
import { type FailureGroup, FailureGroupSchema } from '../../proto/gen/ferry/v1/failure_groups_pb.ts'
import { shortName } from '../names.ts'
import { enumWord } from '../output/enum-words.ts'
import { oneLine } from '../output/plain-text.ts'
import { ageWords, countWords } from '../output/words.ts'
import type { Session } from '../session.ts'
import { type FailureFlags, failureFilter } from './attempt-filter.ts'

const defaultLimit = 50

/** What is FAILED, by cause, the largest group first. */
export async function failures(
  session: Session,
  text: string,
  { limit = defaultLimit, ...flags }: FailureFlags & { readonly limit?: number },
): Promise<void> {
  const useCase = session.nameOf(text)
  const nowMs = session.nowMs()
  const request = { useCase, filter: failureFilter(flags, nowMs), pageSize: limit }
  const { failureGroups, groupCount, deliveryCount } = await session.ferry.deliveries.listFailureGroups(request)
  await session.list(FailureGroupSchema, failureGroups, {
    none: 'nothing is FAILED',
    columns: [
      { title: 'COUNT', of: ({ deliveryCount: count }) => countWords(count), right: true },
      { title: 'STATUS', of: ({ status }) => (status === 0 ? '' : String(status)), right: true },
      { title: 'REASON', of: ({ reason }) => enumWord(ReasonSchema, reason) },
      { title: 'FIRST', of: ({ firstTime }) => ageWords(firstTime, nowMs) },
      { title: 'LAST', of: ({ lastTime }) => ageWords(lastTime, nowMs) },
      { title: 'EXAMPLE', of: exampleOf },
      { title: 'ERROR', of: ({ errorPattern }) => oneLine(errorPattern), shrinkTo: 20 },
      { title: 'GROUP', of: ({ id }) => id },
    ],
  })
  if (session.format !== 'table' || failureGroups.length === 0) return
  const more = Number(groupCount) - failureGroups.length
  session.terminal.err(
    `${countWords(deliveryCount)} deliveries in ${countWords(groupCount)} groups${more > 0 ? `, ${countWords(more)} not shown: --limit N` : ''}. ` +
      `One of them: ferry show ${shortName(useCase)} ${exampleOf(failureGroups[0]!)}   All: ferry deliveries ${shortName(useCase)} --group GROUP\n`,
  )
}

const exampleOf = ({ examplePartition, exampleOffset }: FailureGroup): string => `${examplePartition}/${exampleOffset}`

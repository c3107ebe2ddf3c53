import {
  type Verification,
  VerificationSchema,
  VerificationState,
  VerificationStateSchema,
} from '../../proto/gen/ferry/v1/verification_service_pb.ts'
import { allPages } from '../all-pages.ts'
import { ExitCode } from '../exit-code.ts'
import { childName, shortChildName } from '../names.ts'
import { enumWord } from '../output/enum-words.ts'
import { oneLine } from '../output/plain-text.ts'
import { jsonOf, yamlOf } from '../output/show.ts'
import { ageWords, countWords } from '../output/words.ts'
import type { Session } from '../session.ts'
import { followVerification } from './follow-verification.ts'

const defaultLimit = 50

/** Verifications of a use case, newest first. */
export async function listVerifications(
  session: Session,
  text: string,
  { limit = defaultLimit }: { limit?: number },
): Promise<void> {
  const useCase = session.nameOf(text)
  const { items, hasMore } = await allPages(limit, async (pageSize, pageToken) => {
    const { verifications, nextPageToken } = await session.ferry.verifications.listVerifications({ useCase, pageSize, pageToken })
    return { items: verifications, next: nextPageToken }
  })
  const nowMs = session.nowMs()
  await session.list(VerificationSchema, items, {
    none: 'there is none; ferry verify NAME --certificate FILE makes one',
    columns: [
      { title: 'VERIFICATION', of: ({ name }) => shortChildName(name) },
      { title: 'STATE', of: ({ state }) => enumWord(VerificationStateSchema, state) },
      {
        title: 'COUNTED',
        of: ({ offsetsDone, offsetsTotal }) => `${countWords(offsetsDone)}/${countWords(offsetsTotal)}`,
        right: true,
      },
      { title: 'COMPLETE', of: ({ result }) => (result === undefined ? '' : result.complete ? 'yes' : 'no') },
      {
        title: 'MISSING',
        of: ({ result }) => (result?.total === undefined ? '' : countWords(result.total.missing)),
        right: true,
      },
      { title: 'ASKED', of: ({ createTime }) => ageWords(createTime, nowMs) },
      { title: 'BY', of: ({ creator }) => oneLine(creator), shrinkTo: 8 },
      { title: 'ERROR', of: ({ error }) => oneLine(error), shrinkTo: 12 },
    ],
  })
  if (hasMore) session.terminal.err('there are more: --limit N shows them\n')
}

export async function showVerification(session: Session, text: string): Promise<void> {
  const verification = await read(session, text)
  await session.show(VerificationSchema, verification, () => yamlOf(jsonOf(VerificationSchema, verification)))
}

async function read({ ferry, settings }: Session, text: string): Promise<Verification> {
  const name = childName('verifications', text, settings.namespace)
  return (await ferry.verifications.getVerification({ name })).verification!
}

export const watchVerification = (session: Session, text: string, { certificate }: { certificate?: string }): Promise<ExitCode> =>
  followVerification(session, childName('verifications', text, session.settings.namespace), certificate)

export async function cancelVerification(session: Session, text: string): Promise<ExitCode> {
  const name = childName('verifications', text, session.settings.namespace)
  const { verification } = await session.ferry.verifications.cancelVerification({ name })
  await session.show(VerificationSchema, verification!, () => `${shortChildName(name)} is cancelled\n`)
  return verification!.state === VerificationState.CANCELLED ? ExitCode.done : ExitCode.failed
}

import { OrderingSchema, type UseCase, UseCaseSchema, UseCaseStateSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { allPages } from '../all-pages.ts'
import { checkedNamespace, shortName } from '../names.ts'
import { enumWord } from '../output/enum-words.ts'
import { plainText } from '../output/plain-text.ts'
import { formatted, jsonOf } from '../output/show.ts'
import { ageWords } from '../output/words.ts'
import type { Session } from '../session.ts'

/** Use cases by name; without names those of the namespace, or all. */
export async function get(
  session: Session,
  names: readonly string[],
  { allNamespaces = false }: { allNamespaces?: boolean },
): Promise<void> {
  const useCases = names.length > 0 ? await byName(session, names) : await all(session, allNamespaces)
  const nowMs = session.nowMs()
  const { paint } = session
  if (names.length === 1 && session.format !== 'table')
    return session.terminal.out(await formatted(jsonOf(UseCaseSchema, useCases[0]!, true), session.format))
  await session.list(UseCaseSchema, useCases, {
    sparse: true,
    none: 'there is no use case here; ferry apply -f FILE registers one',
    columns: [
      { title: 'NAME', of: ({ name }) => shortName(name) },
      {
        title: 'STATE',
        of: ({ status }) => enumWord(UseCaseStateSchema, status?.state ?? 0),
        paint: (cell) => (cell.startsWith('ACTIVE') ? paint.good(cell) : paint.warn(cell)),
      },
      { title: 'TOPIC', of: topicOf, shrinkTo: 10 },
      { title: 'ORDER', of: ({ spec }) => enumWord(OrderingSchema, spec?.delivery?.ordering ?? 0) || 'UNORDERED' },
      { title: 'DESTINATION', of: ({ spec }) => plainText(spec?.destination?.url ?? ''), shrinkTo: 16 },
      { title: 'REV', of: ({ revision }) => String(revision), right: true },
      { title: 'CHANGED', of: ({ updateTime }) => ageWords(updateTime, nowMs) },
      { title: 'WHY', of: ({ status }) => plainText(status?.pauseReason ?? ''), shrinkTo: 10 },
    ],
  })
}

async function byName({ ferry, nameOf }: Session, names: readonly string[]): Promise<UseCase[]> {
  return Promise.all(names.map(async (name) => (await ferry.useCases.getUseCase({ name: nameOf(name) })).useCase!))
}

/** Every use case of the session's namespace, or of all. */
export async function all({ ferry, settings }: Session, allNamespaces: boolean): Promise<UseCase[]> {
  const { namespace } = settings
  const parent = allNamespaces || namespace === undefined ? '' : `namespaces/${checkedNamespace(namespace)}`
  const { items } = await allPages(Number.POSITIVE_INFINITY, async (pageSize, pageToken) => {
    const { useCases, nextPageToken } = await ferry.useCases.listUseCases({ parent, pageSize, pageToken })
    return { items: useCases, next: nextPageToken }
  })
  return items
}

const topicOf = ({ spec }: UseCase): string =>
  spec?.source === undefined ? '' : spec.source.cluster === '' ? spec.source.topic : `${spec.source.cluster}:${spec.source.topic}`

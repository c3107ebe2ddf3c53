import { Code, ConnectError } from '@connectrpc/connect'
import { type UseCase, UseCaseSpecSchema, UseCaseState } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { allPages } from '../all-pages.ts'
import { mapAtMost } from '../at-most.ts'
import { leftOutOf, violationsOf } from '../explain-error.ts'
import { type Difference, differences } from '../manifest/differences.ts'
import type { Mistake } from '../manifest/mistake.ts'
import type { Manifest } from '../manifest/read-use-cases.ts'
import { plainText } from '../output/plain-text.ts'
import { jsonOf } from '../output/show.ts'
import type { Session } from '../session.ts'

export interface Change {
  readonly kind: 'create' | 'change' | 'same' | 'delete'
  readonly name: string
  /** Undefined for what is pruned. */
  readonly manifest: Manifest | undefined
  /** What is registered now: a change is refused when it is no longer that. */
  readonly current: UseCase | undefined
  readonly differences: readonly Difference[]
}

const callsAtOnce = 8

/** Asks the server what would become of each use case, and for everything that is wrong with it. Changes nothing. */
export async function planChanges(
  session: Session,
  manifests: readonly Manifest[],
  known: readonly Mistake[],
): Promise<{ changes: Change[]; mistakes: Mistake[] }> {
  const named = manifests.filter(({ useCase }) => useCase.name !== '' && useCase.spec !== undefined)
  const mistakes: Mistake[] = []
  const changes = await mapAtMost(callsAtOnce, named, async (manifest) => {
    try {
      return await planChange(session, manifest)
    } catch (error) {
      if (!(error instanceof ConnectError) || !isAboutManifest(error)) throw error
      mistakes.push(...placed(error, manifest, known))
      return undefined
    }
  })
  return { changes: changes.filter((change) => change !== undefined), mistakes }
}

async function planChange({ ferry }: Session, manifest: Manifest): Promise<Change> {
  const { name, spec } = manifest.useCase
  const current = await currentOf(ferry.useCases.getUseCase({ name }))
  const request = { useCase: { name, spec: spec! }, allowMissing: true, validateOnly: true }
  const { useCase: planned } = await ferry.useCases.updateUseCase(request)
  const before = current?.spec && jsonOf(UseCaseSpecSchema, current.spec, true)
  const found = differences(before, jsonOf(UseCaseSpecSchema, planned!.spec!, true))
  const kind = current === undefined ? 'create' : found.length === 0 ? 'same' : 'change'
  return { kind, name, manifest, current, differences: kind === 'change' ? found : [] }
}

async function currentOf(call: Promise<{ useCase?: UseCase | undefined }>): Promise<UseCase | undefined> {
  try {
    return (await call).useCase
  } catch (error) {
    if (error instanceof ConnectError && error.code === Code.NotFound) return undefined
    throw error
  }
}

/** What the namespace has and no file. */
export async function planPrune({ ferry }: Session, namespace: string, manifests: readonly Manifest[]): Promise<Change[]> {
  const kept = new Set(manifests.map(({ useCase }) => useCase.name))
  const parent = `namespaces/${namespace}`
  const { items } = await allPages(Number.POSITIVE_INFINITY, async (pageSize, pageToken) => {
    const { useCases, nextPageToken } = await ferry.useCases.listUseCases({ parent, pageSize, pageToken })
    return { items: useCases, next: nextPageToken }
  })
  return items
    .filter(({ name, status }) => !kept.has(name) && status?.state !== UseCaseState.DELETING)
    .map((current) => ({ kind: 'delete', name: current.name, manifest: undefined, current, differences: [] }))
}

const isAboutManifest = ({ code }: ConnectError): boolean =>
  [Code.InvalidArgument, Code.NotFound, Code.FailedPrecondition, Code.AlreadyExists, Code.PermissionDenied].includes(code)

/** The server's violations at their lines; those that only follow from a mistake that is known are left out. */
function placed(error: ConnectError, { file, line, lineOf }: Manifest, known: readonly Mistake[]): Mistake[] {
  const violations = violationsOf(error)
  if (violations.length === 0) return [{ file, line, field: '', message: plainText(error.rawMessage) }]
  const here = known.filter((mistake) => mistake.file === file && lineOf.get(mistake.field) === mistake.line)
  const found = violations.flatMap(({ field, description }) => {
    const path = field.replace(/^use_case\./, '')
    if (here.some((mistake) => isWithin(path, mistake.field) || isWithin(mistake.field, path))) return []
    const message = description.replaceAll('use_case.', '').replace(path, '').trimStart()
    return [{ file, line: lineOfPath(path, lineOf) ?? line, field: path, message: plainText(message) }]
  })
  const leftOut = leftOutOf(error)
  return leftOut === 0 ? found : [...found, { file, line, field: '', message: `and ${leftOut} more` }]
}

const isWithin = (path: string, parent: string): boolean =>
  path === parent || path.startsWith(`${parent}.`) || path.startsWith(`${parent}[`)

/** Of the field, or of the nearest one around it that the file has. */
function lineOfPath(path: string, lineOf: ReadonlyMap<string, number>): number | undefined {
  for (let at = path; at !== ''; at = at.replace(/(^|\.)[^.[]*$|\[("(\\.|[^"\\])*"|[^\]"]*)\]$/, '')) {
    const line = lineOf.get(at)
    if (line !== undefined) return line
  }
  return undefined
}

import { type UseCase, UseCaseState } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import type { Change } from '../store/change.ts'
import type { Records } from '../store/records.ts'
import { UseCaseError } from './use-case-error.ts'
import { stateOf } from './use-case-state.ts'

/** A change of what was read; undefined when it is already as asked. */
export type Decide = (current: UseCase) => Promise<Decision | undefined>
export type Decision = Omit<Change, 'before' | 'after'> & { readonly after: UseCase }

const triesMax = 20

/**
 * Reads, decides, and writes if nothing changed in between; else decides again on what there is now. With an etag only that very
 * revision is changed.
 */
export async function editUseCase(records: Records, name: string, etag: string, decide: Decide): Promise<UseCase> {
  for (let tries = 0; tries < triesMax; tries++) {
    const current = await records.read(name)
    if (etag !== '' && current?.etag !== etag) throw etagMismatch(name, etag, current)
    if (!current) throw notFound(name)
    const change = await decide(current)
    if (!change) return current
    const result = await records.write({ ...change, before: current })
    if (result.kind === 'WRITTEN') return change.after
  }
  throw new UseCaseError('CONCURRENT_CHANGE', `${name} was changed ${triesMax} times meanwhile: call again`)
}

export function refuseDeleting(current: UseCase): void {
  if (stateOf(current) !== UseCaseState.DELETING) return
  const message = `${current.name} is being deleted; it is gone when its lanes are drained, then it can be created again`
  throw new UseCaseError('USE_CASE_DELETING', message, { metadata: { name: current.name, uid: current.uid } })
}

export function notFound(name: string): UseCaseError {
  return new UseCaseError('USE_CASE_NOT_FOUND', `there is no use case ${name}: see ListUseCases`, { metadata: { name } })
}

export function etagMismatch(name: string, etag: string, current: UseCase | undefined): UseCaseError {
  const is = current ? `its etag is ${current.etag}` : 'it is gone'
  const metadata = { name, ...(current && { etag: current.etag }) }
  return new UseCaseError('ETAG_MISMATCH', `${name} is no longer what etag ${etag} was read of: ${is}. Get it, and change that`, {
    metadata,
  })
}

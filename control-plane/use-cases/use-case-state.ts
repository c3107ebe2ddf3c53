import { clone, create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
  type UseCase,
  UseCaseSchema,
  type UseCaseSpec,
  UseCaseState,
  type UseCaseStatus,
  UseCaseStatusSchema,
} from '../../proto/gen/ferry/v1/use_case_pb.ts'

// A use case's life:
//
// | state    | pause    | resume | update   | delete   | lanes drained |
// |----------|----------|--------|----------|----------|---------------|
// | (none)   |          |        | (create) |          |               |
// | ACTIVE   | PAUSED   | same   | ACTIVE   | DELETING |               |
// | PAUSED   | PAUSED   | ACTIVE | PAUSED   | DELETING |               |
// | DELETING | refused  | refused| refused  | same     | gone          |

/** The first revision of a new use case. */
export function newUseCase(name: string, uid: string, spec: UseCaseSpec, nowMs: number): UseCase {
  const time = timestampFromMs(nowMs)
  return create(UseCaseSchema, {
    name,
    uid,
    revision: 1n,
    etag: etagOf(uid, 1n),
    spec,
    status: { state: UseCaseState.ACTIVE },
    createTime: time,
    updateTime: time,
  })
}

/** The next revision, with another spec or status. */
export function nextRevision(
  current: UseCase,
  change: { readonly spec?: UseCaseSpec; readonly status?: UseCaseStatus },
  nowMs: number,
): UseCase {
  const next = clone(UseCaseSchema, current)
  next.revision = current.revision + 1n
  next.etag = etagOf(current.uid, next.revision)
  next.updateTime = timestampFromMs(nowMs)
  if (change.spec) next.spec = change.spec
  if (change.status) next.status = change.status
  return next
}

/** With the uid, so that a use case that was deleted and created again has none of its predecessor's etags. */
const etagOf = (uid: string, revision: bigint): string => `${uid}-${revision}`

export const activeStatus = (): UseCaseStatus => create(UseCaseStatusSchema, { state: UseCaseState.ACTIVE })

export const stateOf = (useCase: UseCase): UseCaseState => useCase.status?.state ?? UseCaseState.UNSPECIFIED

import { FleetError } from './fleet-error.ts'
import type { LaneView } from './lane-view.ts'
import type { ViewedUseCase } from './use-case-view.ts'

/** Lanes of one use case that are on a page, by partition. */
export interface LanePart {
  readonly useCase: ViewedUseCase
  readonly lanes: readonly LaneView[]
}

const defaultSize = 1000

/**
 * One page of the lanes of `useCases`, by name and partition. A token says after which partition of which use case to go on, so that
 * pages are stable while use cases come and go. Throws FleetError INVALID_PAGE_TOKEN.
 */
export function pageOfLanes(
  useCases: readonly ViewedUseCase[],
  lanesOf: (useCase: ViewedUseCase) => readonly LaneView[],
  pageSize: number,
  token: string,
): { readonly parts: readonly LanePart[]; readonly nextPageToken: string } {
  const after = token === '' ? undefined : readToken(token)
  const parts: LanePart[] = []
  let room = pageSize || defaultSize
  const ordered = useCases
    .filter(({ name }) => after === undefined || name >= after.name)
    .sort((a, b) => (a.name < b.name ? -1 : 1))
  for (const useCase of ordered) {
    const lanes = lanesOf(useCase).filter(({ id }) => useCase.name !== after?.name || id.partition > after.partition)
    if (lanes.length === 0) continue
    if (room === 0) return { parts, nextPageToken: writeToken(parts.at(-1)!) }
    const taken = lanes.slice(0, room)
    parts.push({ useCase, lanes: taken })
    if (taken.length < lanes.length) return { parts, nextPageToken: writeToken(parts.at(-1)!) }
    room -= taken.length
  }
  return { parts, nextPageToken: '' }
}

const writeToken = ({ useCase, lanes }: LanePart): string =>
  Buffer.from(`1\n${useCase.name}\n${lanes.at(-1)!.id.partition}`).toString('base64url')

function readToken(token: string): { readonly name: string; readonly partition: number } {
  const [version, name, partition, ...rest] = Buffer.from(token, 'base64url').toString().split('\n')
  if (version === '1' && name !== undefined && /^\d{1,10}$/.test(partition ?? '') && rest.length === 0) {
    return { name, partition: Number(partition) }
  }
  throw new FleetError(
    'INVALID_PAGE_TOKEN',
    'page_token must be the next_page_token of a page of ListLanes; start again without one',
  )
}

import type { JsonValue } from '@bufbuild/protobuf'
import { type Change, ChangeSchema } from '../../proto/gen/ferry/v1/change_pb.ts'
import { allPages } from '../all-pages.ts'
import { differences } from '../manifest/differences.ts'
import { shortChildName, shortName } from '../names.ts'
import { oneLine } from '../output/plain-text.ts'
import { timeAndAge, timeWords } from '../output/words.ts'
import { parseTime } from '../point-in-time.ts'
import type { Session } from '../session.ts'
import { differenceLine } from './show-changes.ts'

export interface ChangesOptions {
  readonly actor?: string
  readonly action?: readonly string[]
  readonly since?: string
  readonly until?: string
  readonly limit?: number
  readonly differences?: boolean
}

const defaultLimit = 50
const valueWidthMax = 200

/** Who did what to what, when and why, newest first. */
export async function changes(session: Session, text: string | undefined, options: ChangesOptions): Promise<void> {
  const { actor = '', action = [], since, until, limit = defaultLimit, differences: whole = false } = options
  const nowMs = session.nowMs()
  const request = {
    useCase: text === undefined ? '' : session.nameOf(text),
    actor,
    actions: action.map((each) => each.toUpperCase().replaceAll('-', '_')),
    ...(since !== undefined && { fromTime: parseTime(since, '--since', nowMs) }),
    ...(until !== undefined && { toTime: parseTime(until, '--until', nowMs) }),
  }
  const { items, hasMore } = await allPages(limit, async (pageSize, pageToken) => {
    const { changes: page, nextPageToken } = await session.ferry.fleet.listChanges({ ...request, pageSize, pageToken })
    return { items: page, next: nextPageToken }
  })
  if (whole && session.format === 'table') session.terminal.out(items.map((change) => changeText(session, change)).join('\n'))
  else
    await session.list(ChangeSchema, items, {
      none: 'nothing was done like that',
      columns: [
        { title: 'TIME', of: ({ changeTime }) => timeWords(changeTime) },
        { title: 'WHO', of: ({ actor: who }) => oneLine(who), shrinkTo: 12 },
        { title: 'DID', of: ({ action: what }) => what },
        { title: 'TO', of: ({ resource }) => shortResource(resource), shrinkTo: 16 },
        { title: 'REV', of: ({ revision }) => (revision === 0n ? '' : String(revision)), right: true },
        { title: 'WHY', of: ({ reason }) => oneLine(reason), shrinkTo: 12 },
      ],
    })
  if (hasMore) session.terminal.err('there are more: --limit N shows them, --since and the other filters less\n')
}

const shortResource = (name: string): string => shortChildName(shortName(name))

/** With what it was before and after, field by field. */
function changeText({ paint, nowMs }: Session, { changeTime, actor, action, resource, reason, before, after }: Change): string {
  const why = reason === '' ? '' : `  ${oneLine(reason)}`
  const head = `${timeAndAge(changeTime, nowMs())}  ${oneLine(actor)}  ${paint.strong(action)} ${shortResource(resource)}${why}\n`
  return (
    head +
    differences(jsonOf(before), jsonOf(after), '')
      .map((each) => differenceLine(each, valueWidthMax, paint))
      .join('')
  )
}

function jsonOf(text: string): JsonValue | undefined {
  if (text === '') return undefined
  try {
    return JSON.parse(text) as JsonValue
  } catch {
    // Of a newer server, in another form: shown as it is.
    return text
  }
}

import type { JsonValue } from '@bufbuild/protobuf'
import type { Difference } from '../manifest/differences.ts'
import { shortName } from '../names.ts'
import { plainText } from '../output/plain-text.ts'
import { cut } from '../output/text-width.ts'
import type { Session } from '../session.ts'
import type { Change } from './plan-changes.ts'

const valueWidthMax = 200

/** What would happen to one use case: a line, and one more for each field that differs. */
export function changeLines({ paint, terminal }: Session, { kind, name, manifest, differences }: Change): string {
  const paintOf = { create: paint.good, change: paint.warn, same: paint.faint, delete: paint.bad }[kind]
  const place = manifest === undefined ? 'in no file' : `${manifest.file}:${manifest.line}`
  const head = `${paintOf(kind.padEnd(6))} ${shortName(name)}  ${paint.faint(place)}\n`
  const widthMax = Math.max(20, Math.min(valueWidthMax, (terminal.width ?? valueWidthMax) - 20))
  return head + differences.map((difference) => differenceLine(difference, widthMax, paint)).join('')
}

export function differenceLine({ field, before, after }: Difference, widthMax: number, paint: Session['paint']): string {
  const [old, made] = [written(before, widthMax), written(after, widthMax)]
  if (before === undefined) return `       ${paint.good('+')} ${field}: ${made}\n`
  if (after === undefined) return `       ${paint.bad('-')} ${field}: ${old}\n`
  if (old.length + made.length + field.length < widthMax) return `       ${paint.warn('~')} ${field}: ${old} -> ${made}\n`
  return `       ${paint.warn('~')} ${field}:\n           ${old}\n        -> ${made}\n`
}

const written = (value: JsonValue | undefined, widthMax: number): string =>
  value === undefined ? '' : cut(plainText(JSON.stringify(value)), widthMax)

import type {
  CastFields,
  JsonataStep,
  MoveFields,
  NestFields,
  SetField,
  TransformStep,
} from '../../proto/gen/ferry/v1/transform_pb.ts'
import { CastType } from '../../proto/gen/ferry/v1/transform_pb.ts'
import { ExpressionError } from '../expression-error.ts'
import { checkJsonata } from '../jsonata/check-jsonata.ts'
import type { CastTarget } from './cast-value.ts'
import { castFields, dropFields, setField } from './edit-fields.ts'
import { type FieldPath, holds, parsePath, pathOf } from './field-path.ts'
import { keepFields } from './keep-fields.ts'
import { type Move, moveFields, type Step } from './move-fields.ts'

/** Says what is wrong with a field of the step. */
export type Complain = (field: string, message: string) => void

/** A path that cannot be read stands as undefined: what is wrong with it was said. */
type Read = FieldPath | undefined

const castTargets: Partial<Record<CastType, CastTarget>> = {
  [CastType.STRING]: 'STRING',
  [CastType.NUMBER]: 'NUMBER',
  [CastType.INTEGER]: 'INTEGER',
  [CastType.BOOLEAN]: 'BOOLEAN',
}

/** The words of a text that stands in a sentence. */
const quoted = (text: string): string => JSON.stringify(text.length <= 80 ? text : `${text.slice(0, 80)}...`)

/** A step as it is carried out; nothing when it cannot be. `complain` hears of every mistake. */
export function readStep({ step }: TransformStep, complain: Complain): StepWork | undefined {
  if (step.case === 'jsonata') return readJsonata(step.value, complain)
  const work = readMapping(step, complain)
  return work === undefined ? undefined : { step: work }
}

/** What is done at once, or an expression for JSONata. */
type StepWork = { readonly step: Step } | { readonly expression: string }

function readJsonata({ expression }: JsonataStep, complain: Complain): StepWork | undefined {
  try {
    checkJsonata(expression)
    return { expression }
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error
    complain('jsonata.expression', `must be a JSONata expression; ${error.message}`)
    return undefined
  }
}

function readMapping(step: TransformStep['step'], complain: Complain): Step | undefined {
  switch (step.case) {
    case 'move':
      return readMove(step.value, complain)
    case 'drop':
      return whole(readPaths('drop.fields', step.value.fields, 'FIELD', complain), dropFields)
    case 'keep':
      return whole(readPaths('keep.fields', step.value.fields, 'FIELD', complain), keepFields)
    case 'nest':
      return readNest(step.value, complain)
    case 'set':
      return readSet(step.value, complain)
    case 'cast':
      return readCast(step.value, complain)
    default:
      complain('', 'must have exactly one kind of step that this version knows')
      return undefined
  }
}

/** Only with every path. */
const whole = (paths: readonly Read[], make: (paths: readonly FieldPath[]) => Step): Step | undefined =>
  paths.every((path) => path !== undefined) ? make(paths) : undefined

/** FIELD: it must end with a name. */
function readPath(field: string, text: string, kind: 'FIELD' | 'ANY', complain: Complain): Read {
  const path = parsePath(text)
  if (typeof path === 'string')
    complain(field, `must be the path of a field, such as customer.name or items[].sku; given ${quoted(text)}: ${path}`)
  else if (kind === 'FIELD' && path.names.length === 0)
    complain(field, `must end with the name of a field; given ${quoted(text)}: to name a whole list, leave the last [] out`)
  else return path
  return undefined
}

const readPaths = (field: string, texts: readonly string[], kind: 'FIELD' | 'ANY', complain: Complain): Read[] =>
  texts.map((text, at) => readPath(`${field}[${at}]`, text, kind, complain))

function readMove({ fields, required }: MoveFields, complain: Complain): Step | undefined {
  const moves = Object.entries(fields).map(([from, to]): Partial<Move> & { readonly field: string } => {
    const field = `move.fields[${quoted(from)}]`
    const [source, target] = [readPath(`the key of ${field}`, from, 'FIELD', complain), readPath(field, to, 'FIELD', complain)]
    if (source === undefined || target === undefined) return { field }
    checkLists(field, source, target, complain)
    if (source.whole === target.whole) complain(field, `must be another path than ${quoted(from)} itself`)
    return { field, from: source, to: target }
  })
  const read = moves.filter((move): move is Move & { readonly field: string } => move.from !== undefined)
  for (const [at, { field, from, to }] of read.entries()) {
    for (const other of read.slice(0, at)) {
      if (holds(other.from, from) || holds(from, other.from))
        complain(field, `must not be moved together with ${quoted(other.from.text)}, since one is in the other: use two steps`)
      if (holds(other.to, to) || holds(to, other.to))
        complain(
          field,
          `must not be moved to where ${quoted(other.from.text)} goes, or into it; both go to ${quoted(other.to.text)}`,
        )
    }
  }
  // The order of a map's entries is nobody's intention.
  const sorted = [...read].sort((a, b) => (a.to.text < b.to.text ? -1 : 1))
  return read.length < moves.length ? undefined : moveFields(sorted, required)
}

/** A field of an element can only go to another place in the same element. */
function checkLists(field: string, from: FieldPath, to: FieldPath, complain: Complain): void {
  if (from.through === to.through) return
  const through = (path: FieldPath): string =>
    path.lists.length === 0 ? 'no list' : path.text.slice(0, path.text.lastIndexOf('[]') + 2)
  complain(field, `must lead through the same lists as ${quoted(from.text)}: that is in ${through(from)}, this in ${through(to)}`)
}

function readNest({ fields, under }: NestFields, complain: Complain): Step | undefined {
  const paths = readPaths('nest.fields', fields, 'FIELD', complain)
  const target = readPath('nest.under', under, 'FIELD', complain)
  if (target === undefined) return undefined
  const names = new Map<string, string>()
  const moves = paths.map((from, at): Move | undefined => {
    if (from === undefined) return undefined
    const field = `nest.fields[${at}]`
    checkLists(field, from, target, complain)
    if (holds(from, target)) complain(field, `must not be nest.under, or hold it; given ${quoted(from.text)}`)
    const last = from.names.at(-1)!
    const before = names.get(last.text)
    if (before !== undefined) complain(field, `must have another last name than ${quoted(before)}; given ${quoted(from.text)}`)
    names.set(last.text, from.text)
    const to = pathOf(`${under}.${last.text}`, target.lists, [...target.names, last])
    return { from, to }
  })
  return moves.every((move) => move !== undefined) ? moveFields(moves, false) : undefined
}

function readSet({ field, value, onlyIfMissing }: SetField, complain: Complain): Step | undefined {
  const path = readPath('set.field', field, 'FIELD', complain)
  if (value.case === undefined) {
    complain('set', 'must have exactly one of text, json; given none')
    return undefined
  }
  const json = value.case === 'text' ? JSON.stringify(value.value) : readJson(value.value, complain)
  return path === undefined || json === undefined ? undefined : setField(path, json, onlyIfMissing)
}

function readJson(text: string, complain: Complain): string | undefined {
  try {
    JSON.parse(text)
    return text.trim()
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    complain('set.json', `must be one JSON value (a text is better given as set.text); given ${quoted(text)}: ${reason}`)
    return undefined
  }
}

function readCast({ fields, to, required }: CastFields, complain: Complain): Step | undefined {
  const target = castTargets[to]
  if (target === undefined) complain('cast.to', 'must be a type that this version knows')
  const paths = readPaths('cast.fields', fields, 'ANY', complain)
  return target === undefined ? undefined : whole(paths, (read) => castFields(read, target, required))
}

import { clone, create, type DescField, type DescMessage } from '@bufbuild/protobuf'
import { type ReflectMessage, reflect } from '@bufbuild/protobuf/reflect'
import { type UseCaseSpec, UseCaseSpecSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { keptSchema } from '../store/kept-schema.ts'
import { quote, type Violation } from './violation.ts'

/** More than there are fields; each costs a copy of the spec. */
export const maskPathsMax = 100

/** Fields of the spec from the outside in; no field at all is the whole spec. */
type FieldPath = readonly DescField[]

/**
 * The stored spec with what the mask names taken from the given one; without a mask the given one. A field that is named and not
 * given is cleared. Neither argument is written to.
 */
export function applyMask(
  stored: UseCaseSpec,
  given: UseCaseSpec | undefined,
  paths: readonly string[],
): { readonly spec: UseCaseSpec } | { readonly violations: Violation[] } {
  if (paths.length > maskPathsMax) return { violations: [tooManyPaths(paths.length)] }
  const parsed = paths.map((path) => ({ path, fields: parsePath(path) }))
  const wrong = parsed.filter((each) => typeof each.fields === 'string')
  if (wrong.length > 0) return { violations: wrong.map(({ path, fields }) => wrongPath(path, fields as string)) }
  const source = given ?? create(UseCaseSpecSchema)
  const all = parsed.map((each) => each.fields as FieldPath)
  if (all.length === 0 || all.some((fields) => fields.length === 0)) return { spec: clone(UseCaseSpecSchema, source) }
  const spec = clone(UseCaseSpecSchema, stored)
  for (const fields of all)
    copyField(reflect(UseCaseSpecSchema, clone(UseCaseSpecSchema, source)), reflect(UseCaseSpecSchema, spec), fields)
  forgetOtherSet(spec, paths)
  return { spec }
}

/** Answers what is wrong with a path as text. */
function parsePath(path: string): FieldPath | string {
  if (path === '*' || path === 'spec') return []
  const [root, ...names] = path.split('.')
  if (root !== 'spec') return 'begins with spec'
  const fields: DescField[] = []
  let message: DescMessage | undefined = UseCaseSpecSchema
  for (const name of names) {
    const field: DescField | undefined = message?.fields.find((each) => each.name === name || each.jsonName === name)
    if (!field)
      return message ? `names a field of the spec; ${message.name} has no ${quote(name)}` : 'ends at a list, map or value'
    fields.push(field)
    message = field.fieldKind === 'message' && !isWellKnown(field.message) ? field.message : undefined
  }
  return fields
}

/** Durations and timestamps are replaced whole. */
const isWellKnown = (message: DescMessage): boolean => message.typeName.startsWith('google.protobuf.')

function tooManyPaths(given: number): Violation {
  const description = `update_mask must have at most ${maskPathsMax} paths; given ${given}`
  return { field: 'update_mask', description, reason: 'UPDATE_MASK_PATH' }
}

function wrongPath(path: string, right: string): Violation {
  const field = 'update_mask'
  const description = `${field} must have paths such as spec.retry or spec.destination.url; given ${quote(path)}, and a path ${right}`
  return { field, description, reason: 'UPDATE_MASK_PATH' }
}

function copyField(from: ReflectMessage, to: ReflectMessage, [field, ...below]: FieldPath): void {
  const outer = field!
  if (below.length === 0) {
    if (from.isSet(outer)) to.set(outer, from.get(outer))
    else to.clear(outer)
    return
  }
  if (!from.isSet(outer) && !to.isSet(outer)) return
  // get() answers a new message for a field that is not set; it counts once it is set.
  const target = to.get(outer) as ReflectMessage
  copyField(from.get(outer) as ReflectMessage, target, below)
  to.set(outer, target)
}

/** What is stored names a descriptor set or schema by its hash; new bytes under a mask that leaves the hash out replace that too. */
function forgetOtherSet(spec: UseCaseSpec, paths: readonly string[]): void {
  const kept = keptSchema(spec)
  if (kept === undefined || kept.bytes.length === 0) return
  if (paths.includes(kept.field) && !paths.includes(`${kept.field}_sha256`)) kept.replace(kept.bytes, '')
}

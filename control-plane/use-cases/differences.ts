import { type JsonValue, toJson } from '@bufbuild/protobuf'
import { type UseCaseSpec, UseCaseSpecSchema } from '../../proto/gen/ferry/v1/use_case_pb.ts'
import { effective } from './defaults.ts'
import { quote, shorten } from './violation.ts'

/** A field that two definitions have otherwise, with both values as ProtoJSON; `not set` where there is none. */
export interface Difference {
  /** `spec.retry.max_retries` */
  readonly path: string
  readonly before: string
  readonly after: string
}

/** In what two definitions differ, once every default is filled in: nothing when they mean the same. */
export function differences(before: UseCaseSpec, after: UseCaseSpec): Difference[] {
  return compare(plain(effective(before)), plain(effective(after)), 'spec')
}

const plain = (spec: UseCaseSpec): JsonValue => toJson(UseCaseSpecSchema, spec, { useProtoFieldName: true })

function compare(before: JsonValue | undefined, after: JsonValue | undefined, path: string): Difference[] {
  if (isObject(before) && isObject(after)) {
    const names = [...new Set([...Object.keys(before), ...Object.keys(after)])]
    return names.flatMap((name) => compare(before[name], after[name], `${path}.${name}`))
  }
  if (JSON.stringify(before) === JSON.stringify(after)) return []
  return [{ path, before: words(before, path), after: words(after, path) }]
}

const isObject = (value: JsonValue | undefined): value is { [name: string]: JsonValue } =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const headersPath = 'spec.destination.headers'

function words(value: JsonValue | undefined, path: string): string {
  if (value === undefined) return 'not set'
  // Headers may carry what only the endpoint may know.
  if (path.startsWith(headersPath)) return 'a value that is not shown'
  if (isObject(value)) return `set (${Object.keys(value).join(', ') || 'empty'})`
  return typeof value === 'string' ? quote(value) : shorten(JSON.stringify(value))
}

import { isDeepStrictEqual } from 'node:util'
import type { JsonObject, JsonValue } from '@bufbuild/protobuf'

/** One field that would change; undefined where there is nothing. */
export interface Difference {
  readonly field: string
  readonly before: JsonValue | undefined
  readonly after: JsonValue | undefined
}

/** What differs between two specs, field by field. */
export function differences(before: JsonValue | undefined, after: JsonValue | undefined, path = 'spec'): Difference[] {
  if (isDeepStrictEqual(before, after)) return []
  if (isObject(before) && isObject(after)) {
    const keys = [...new Set([...Object.keys(before), ...Object.keys(after)])]
    return keys.flatMap((key) => differences(before[key], after[key], childPath(path, key)))
  }
  if (Array.isArray(before) && Array.isArray(after)) {
    const length = Math.max(before.length, after.length)
    return Array.from({ length }, (_, index) => differences(before[index], after[index], `${path}[${index}]`)).flat()
  }
  return [{ field: path, before, after }]
}

const isObject = (value: JsonValue | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const childPath = (path: string, key: string): string =>
  /^[a-z][a-z0-9_]*$/i.test(key) ? (path === '' ? key : `${path}.${key}`) : `${path}[${JSON.stringify(key)}]`

import { isUtf8 } from 'node:buffer'
import type { CelInput } from '@bufbuild/cel'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import type { RecordSource, SourceRecord } from '../source-record.ts'
import { toCel } from './cel-json.ts'
import { parseJson } from './parse-json.ts'

/** Gives one variable's value for a record. `body` decodes its value, and throws when that cannot be done. */
type Variable = (record: SourceRecord, source: RecordSource, body: (value: Buffer) => Buffer) => CelInput

const readVariable: Readonly<Record<string, Variable>> = {
  key: ({ key }) => (key === null ? null : textOrBytes(key)),
  headers: ({ headers }) => new Map(Object.entries(headers).flatMap(([name, value]) => headerEntry(name, value))),
  topic: (_record, { topic }) => topic,
  partition: (_record, { partition }) => BigInt(partition),
  offset: ({ offset }) => BigInt(offset),
  timestamp: ({ timestamp }) => timestampFromMs(Number(timestamp)),
  value: ({ value }, _source, body) => (value === null ? null : toCel(parseJson(body(value).toString()))),
}

export const variableNames = Object.keys(readVariable)

/** Compiles how the used variables are read: nothing else of a record is looked at. */
export function variablesReader(used: ReadonlySet<string>): (...from: Parameters<Variable>) => Record<string, CelInput> {
  const wanted = Object.entries(readVariable).filter(([name]) => used.has(name))
  return (record, source, body) => {
    const variables: Record<string, CelInput> = {}
    for (const [name, read] of wanted) variables[name] = read(record, source, body)
    return variables
  }
}

const textOrBytes = (bytes: Buffer): string | Uint8Array => (isUtf8(bytes) ? bytes.toString() : new Uint8Array(bytes))

/** Of several headers with one name the last counts. */
function headerEntry(name: string, value: SourceRecord['headers'][string]): [string, CelInput][] {
  const last = Array.isArray(value) ? value.at(-1) : value
  if (last === undefined) return []
  return [[name, typeof last === 'string' ? last : textOrBytes(last)]]
}

import { isUtf8 } from 'node:buffer'
import type { RecordSource, SourceRecord } from './source-record.ts'

// A text with places that each record fills: `{topic}`, `{partition}`, `{offset}`, `{key}`, `{header:NAME}`.

/** The text for a record; undefined where the record has nothing, or nothing fit, for one of its places. */
export type Template = (record: SourceRecord, source: RecordSource) => string | undefined

/** What a record fills in is at most so long. */
export const FILLED_LENGTH_MAX = 1024

type Part = string | Template

const places: ReadonlyMap<string, Template> = new Map<string, Template>([
  ['topic', (_record, { topic }) => topic],
  ['partition', (_record, { partition }) => String(partition)],
  ['offset', ({ offset }) => offset],
  ['key', ({ key }) => textOf(key)],
])

/** `encode` is what becomes of a filled-in text. Throws an Error that says what is wrong. */
export function compileTemplate(text: string, encode: (text: string) => string = (each) => each): Template {
  const parts = text
    .split(/(\{[^{}]*\})/)
    .filter((each) => each !== '')
    .map((each) => partOf(each, encode))
  const [only] = parts
  if (parts.length === 1 && typeof only === 'string') return () => only
  return (record, source) => {
    let filled = ''
    for (const part of parts) {
      const more = typeof part === 'string' ? part : part(record, source)
      if (more === undefined) return undefined
      filled += more
    }
    return filled
  }
}

function partOf(text: string, encode: (text: string) => string): Part {
  if (!/[{}]/.test(text)) return text
  const name = /^\{(.*)\}$/s.exec(text)?.[1]
  if (name === undefined) throw new Error('has a brace that has no other')
  const place = name.startsWith('header:') ? headerPlace(name.slice('header:'.length)) : places.get(name)
  if (place === undefined) throw new Error(`has {${name}}; there are {topic}, {partition}, {offset}, {key} and {header:NAME}`)
  return (record, source) => {
    const filled = place(record, source)
    return filled === undefined ? undefined : encode(filled)
  }
}

function headerPlace(name: string): Template {
  if (name === '') throw new Error('has {header:} without a name')
  return ({ headers }) => headerText(headers, name)
}

/** A header of a record as text: of several of one name the last. */
export function headerText(headers: SourceRecord['headers'], name: string): string | undefined {
  if (!Object.hasOwn(headers, name)) return undefined
  const given = headers[name]
  return textOf((Array.isArray(given) ? given.at(-1) : given) ?? null)
}

/** Text that may stand in one line of a header or of JSON; undefined for nothing, and for what is no such text. */
export function textOf(given: Buffer | string | null): string | undefined {
  if (given === null || given.length === 0 || given.length > FILLED_LENGTH_MAX * 4) return undefined
  if (typeof given !== 'string' && !isUtf8(given)) return undefined
  const text = String(given)
  return text.length > FILLED_LENGTH_MAX || /\p{Cc}/u.test(text) ? undefined : text
}

import type { FieldName } from './field-path.ts'
import { skipSpace, skipString, skipValue } from './skip-json.ts'

/**
 * A JSON value: the text that it was read as or is to be written as, or an object or list that was opened. What nobody opens is
 * never looked into, and comes out as it went in.
 */
export type Json = string | JsonObject | JsonList

const openArray = 91
const openObject = 123

/** The value with its members or elements at hand, when it has any. */
export function open(value: Json): Json {
  if (typeof value !== 'string') return value
  const first = value.charCodeAt(0)
  if (first === openObject) return openObjectText(value)
  return first === openArray ? openListText(value) : value
}

/** As it is written. */
export const textOf = (value: Json): string => (typeof value === 'string' ? value : value.toText())

export function kindOf(value: Json): string {
  if (value instanceof JsonObject) return 'an object'
  if (value instanceof JsonList) return 'a list'
  switch (value[0]) {
    case '{':
      return 'an object'
    case '[':
      return 'a list'
    case '"':
      return 'a text'
    case 'n':
      return 'null'
    case 't':
    case 'f':
      return value
    default:
      return 'a number'
  }
}

/** With fewer members they are searched one by one. */
const INDEXED_FROM = 16

/** An object's members in their order. Of several with one name the last counts, in the place of the first. */
export class JsonObject {
  readonly #names: string[] = []
  readonly #json: string[] = []
  /** Undefined where a member was taken out. */
  readonly #values: (Json | undefined)[] = []
  #index: Map<string, number> | undefined

  /** Where the member is; -1 when there is none. */
  find(name: string): number {
    if (this.#index !== undefined) return this.#index.get(name) ?? -1
    const names = this.#names
    for (let at = names.length - 1; at >= 0; at--) if (names[at] === name && this.#values[at] !== undefined) return at
    return -1
  }

  at(place: number): Json {
    return this.#values[place]!
  }

  replace(place: number, value: Json): void {
    this.#values[place] = value
  }

  /** The member is no longer there; its place is kept for what may come in. */
  take(place: number): Json {
    const value = this.#values[place]!
    this.#values[place] = undefined
    this.#index?.delete(this.#names[place]!)
    return value
  }

  /** Puts a member into a place that was taken out. */
  putAt(place: number, { text, json }: FieldName, value: Json): void {
    const other = this.find(text)
    if (other >= 0) this.take(other)
    this.#names[place] = text
    this.#json[place] = json
    this.#values[place] = value
    this.#index?.set(text, place)
  }

  /** Replaces a member, or adds one as the last. */
  put({ text, json }: FieldName, value: Json): void {
    const place = this.find(text)
    if (place >= 0) this.#values[place] = value
    else this.#push(text, json, value)
  }

  #push(text: string, json: string, value: Json): void {
    const place = this.#names.push(text) - 1
    this.#json.push(json)
    this.#values.push(value)
    if (this.#index !== undefined) this.#index.set(text, place)
    else if (place === INDEXED_FROM) this.#index = this.#indexed()
  }

  #indexed(): Map<string, number> {
    const index = new Map<string, number>()
    for (const [place, name] of this.#names.entries()) if (this.#values[place] !== undefined) index.set(name, place)
    return index
  }

  /** Keeps the members of which `change` gives a value. */
  sift(change: (name: string, value: Json) => Json | undefined): void {
    for (const [place, value] of this.#values.entries()) {
      if (value === undefined) continue
      const kept = change(this.#names[place]!, value)
      if (kept === undefined) this.take(place)
      else this.#values[place] = kept
    }
  }

  /** Members that were, to say what it costs to look at all. */
  get size(): number {
    return this.#names.length
  }

  toText(): string {
    let text = ''
    for (const [place, value] of this.#values.entries()) {
      if (value === undefined) continue
      text += `${text === '' ? '{' : ','}${this.#json[place]}:${textOf(value)}`
    }
    return text === '' ? '{}' : `${text}}`
  }
}

/** A list's elements. */
export class JsonList {
  elements: Json[] = []

  toText(): string {
    let text = ''
    for (const element of this.elements) text += (text === '' ? '[' : ',') + textOf(element)
    return text === '' ? '[]' : `${text}]`
  }
}

function openObjectText(text: string): JsonObject {
  const object = new JsonObject()
  let at = skipSpace(text, 1)
  while (text[at] === '"') {
    const nameEnd = skipString(text, at)
    const json = text.slice(at, nameEnd)
    const name = json.includes('\\') ? (JSON.parse(json) as string) : json.slice(1, -1)
    // After the colon.
    const valueAt = skipSpace(text, skipSpace(text, nameEnd) + 1)
    const valueEnd = skipValue(text, valueAt)
    object.put({ text: name, json }, text.slice(valueAt, valueEnd))
    at = skipSpace(text, skipSpace(text, valueEnd) + 1)
  }
  return object
}

function openListText(text: string): JsonList {
  const list = new JsonList()
  let at = skipSpace(text, 1)
  while (text[at] !== ']' && at < text.length) {
    const end = skipValue(text, at)
    list.elements.push(text.slice(at, end))
    // After the comma, or the end.
    at = skipSpace(text, end)
    at = text[at] === ',' ? skipSpace(text, at + 1) : text.length
  }
  return list
}

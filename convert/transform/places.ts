import { EACH, type FieldName, type FieldPath } from './field-path.ts'
import { type Json, JsonList, JsonObject, kindOf, open } from './json-tree.ts'
import { TransformError } from './transform-error.ts'

/** Counts what a record's steps look at, and throws when that is too much. */
export class Budget {
  readonly #fieldsMax: number
  #left = 0

  constructor(fieldsMax: number) {
    this.#fieldsMax = fieldsMax
  }

  reset(): void {
    this.#left = this.#fieldsMax
  }

  spend(fields: number): void {
    this.#left -= fields
    if (this.#left < 0) throw new TransformError(`the steps look at more than ${this.#fieldsMax} fields and list elements`)
  }
}

/**
 * Changes what a path's lists lead to: the value itself for a path without lists, else each element of the last list. `missing` is
 * called where the lists are not there. `cost`: fields that a change looks at.
 */
export function changeEach(
  value: Json,
  { lists }: FieldPath,
  budget: Budget,
  change: (value: Json) => Json,
  missing: () => void,
  cost = 1,
): Json {
  const below = (each: Json, at: number): Json => {
    if (at === lists.length) {
      budget.spend(cost)
      return change(each)
    }
    const part = lists[at]!
    const opened = open(each)
    if (part === EACH && opened instanceof JsonList) {
      const { elements } = opened
      for (let element = 0; element < elements.length; element++) elements[element] = below(elements[element]!, at + 1)
      return opened
    }
    const place = part !== EACH && opened instanceof JsonObject ? opened.find(part.text) : -1
    if (place < 0) missing()
    else (opened as JsonObject).replace(place, below((opened as JsonObject).at(place), at + 1))
    return opened
  }
  return below(value, 0)
}

/** The object that the names, without the last one, lead to; undefined when there is none. */
export function parentOf(value: Json, names: readonly FieldName[]): JsonObject | undefined {
  let object = value
  for (let at = 0; at < names.length - 1; at++) {
    const place = object instanceof JsonObject ? object.find(names[at]!.text) : -1
    if (place < 0) return undefined
    const parent = object as JsonObject
    object = open(parent.at(place))
    parent.replace(place, object)
  }
  return object instanceof JsonObject ? object : undefined
}

/** The same, and makes the objects that are not there. Throws TransformError where something else is in the way. */
export function makeParent(value: Json, { names, text }: FieldPath): JsonObject {
  if (!(value instanceof JsonObject)) throw new TransformError(`${text} cannot be put into ${kindOf(value)}`)
  let object = value
  for (const name of names.slice(0, -1)) {
    const place = object.find(name.text)
    const found = place < 0 ? 'null' : open(object.at(place))
    const next = found === 'null' ? new JsonObject() : found
    if (!(next instanceof JsonObject)) throw new TransformError(`${text} cannot be put there: ${name.text} is ${kindOf(next)}`)
    object.put(name, next)
    object = next
  }
  return object
}

import { type CastTarget, castValue, shown } from './cast-value.ts'
import type { FieldPath } from './field-path.ts'
import { type Json, open } from './json-tree.ts'
import type { Step } from './move-fields.ts'
import { changeEach, makeParent, parentOf } from './places.ts'
import { TransformError } from './transform-error.ts'

const targetNames: Record<CastTarget, string> = {
  STRING: 'a text',
  NUMBER: 'a number',
  INTEGER: 'a whole number',
  BOOLEAN: 'true or false',
}

const ignore = (): void => {}

/** Takes fields out. */
export function dropFields(paths: readonly FieldPath[]): Step {
  return (value, budget) => {
    let result = value
    for (const path of paths) {
      const { names } = path
      const last = names[names.length - 1]!
      const drop = (each: Json): Json => {
        const object = open(each)
        const parent = parentOf(object, names)
        const place = parent?.find(last.text) ?? -1
        if (place >= 0) parent!.take(place)
        return object
      }
      result = changeEach(result, path, budget, drop, ignore)
    }
    return result
  }
}

/** Writes a constant. `json`: as it is written. */
export function setField(path: FieldPath, json: string, onlyIfMissing: boolean): Step {
  const { names } = path
  const last = names[names.length - 1]!
  const set = (each: Json): Json => {
    const object = open(each)
    const parent = makeParent(object, path)
    if (!onlyIfMissing || parent.find(last.text) < 0) parent.put(last, json)
    return object
  }
  return (value, budget) => changeEach(value, path, budget, set, ignore)
}

/** Writes values as another type. */
export function castFields(paths: readonly FieldPath[], to: CastTarget, isRequired: boolean): Step {
  const casts = paths.map((path) => {
    const { names, text } = path
    const last = names.at(-1)
    const missing = (): void => {
      if (isRequired) throw new TransformError(`there is no field ${text}`)
    }
    const cast = (value: Json): Json => {
      const result = castValue(value, to)
      if (result === undefined) throw new TransformError(`${text} is ${shown(value)}, which is not ${targetNames[to]}`)
      return result
    }
    const change = (each: Json): Json => {
      if (last === undefined) return cast(each)
      const object = open(each)
      const parent = parentOf(object, names)
      const place = parent?.find(last.text) ?? -1
      if (place < 0) missing()
      else parent!.replace(place, cast(parent!.at(place)))
      return object
    }
    return { path, change, missing }
  })
  return (value, budget) => {
    let result = value
    for (const { path, change, missing } of casts) result = changeEach(result, path, budget, change, missing)
    return result
  }
}

import type { FieldName, FieldPath } from './field-path.ts'
import { type Json, type JsonObject, open } from './json-tree.ts'
import { type Budget, changeEach, makeParent, parentOf } from './places.ts'
import { TransformError } from './transform-error.ts'

/** Changes a whole value, and answers it. Throws TransformError. */
export type Step = (value: Json, budget: Budget) => Json

export interface Move {
  readonly from: FieldPath
  readonly to: FieldPath
}

interface Taken {
  readonly parent: JsonObject
  readonly place: number
  readonly value: Json
  readonly move: Move
}

const lastOf = ({ names }: FieldPath): FieldName => names[names.length - 1]!

/** Whether both are fields of one object: then the field keeps its place. */
const staysInside = ({ from, to }: Move): boolean =>
  from.names.length === to.names.length && from.names.slice(0, -1).every(({ text }, at) => text === to.names[at]!.text)

/** All are taken out before the first is put in. */
export function moveFields(moves: readonly Move[], isRequired: boolean): Step {
  const missing = (from: FieldPath): void => {
    if (isRequired) throw new TransformError(`there is no field ${from.text}`)
  }
  const groups = [...Map.groupBy(moves, ({ from }) => from.through).values()]
  const moveIn =
    (group: readonly Move[]) =>
    (value: Json): Json => {
      const object = open(value)
      const taken: Taken[] = []
      for (const move of group) {
        const parent = parentOf(object, move.from.names)
        const place = parent?.find(lastOf(move.from).text) ?? -1
        if (parent === undefined || place < 0) missing(move.from)
        else taken.push({ parent, place, value: parent.take(place), move })
      }
      for (const { parent, place, value: moved, move } of taken) {
        if (staysInside(move)) parent.putAt(place, lastOf(move.to), moved)
        else makeParent(object, move.to).put(lastOf(move.to), moved)
      }
      return object
    }
  const works = groups.map((group) => ({ change: moveIn(group), path: group[0]!.from, cost: group.length }))
  return (value, budget) => {
    let result = value
    for (const { change, path, cost } of works) result = changeEach(result, path, budget, change, () => missing(path), cost)
    return result
  }
}

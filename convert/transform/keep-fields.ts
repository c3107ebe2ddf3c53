import { EACH, type FieldPath } from './field-path.ts'
import { type Json, JsonList, JsonObject, open } from './json-tree.ts'
import type { Step } from './move-fields.ts'
import type { Budget } from './places.ts'

/** What is kept of a value: all of it, or of its members and elements what is said here. */
interface Kept {
  whole: boolean
  readonly members: Map<string, Kept>
  elements: Kept | undefined
}

const nothing = (): Kept => ({ whole: false, members: new Map(), elements: undefined })

function keptBy(paths: readonly FieldPath[]): Kept {
  const root = nothing()
  for (const { lists, names } of paths) {
    let kept = root
    for (const part of [...lists, ...names]) {
      if (part === EACH) {
        kept.elements ??= nothing()
        kept = kept.elements
      } else {
        const member = kept.members.get(part.text) ?? nothing()
        kept.members.set(part.text, member)
        kept = member
      }
    }
    kept.whole = true
  }
  return root
}

/** Takes out everything that no path names. What a path leads through and is neither object nor list goes, too: nobody has asked for it. */
export function keepFields(paths: readonly FieldPath[]): Step {
  const root = keptBy(paths)
  return (value, budget) => sift(value, root, budget) ?? new JsonObject()
}

function sift(value: Json, kept: Kept, budget: Budget): Json | undefined {
  if (kept.whole) return value
  const opened = open(value)
  if (opened instanceof JsonObject && kept.members.size > 0) {
    budget.spend(opened.size)
    opened.sift((name, member) => {
      const below = kept.members.get(name)
      return below === undefined ? undefined : sift(member, below, budget)
    })
    return opened
  }
  if (opened instanceof JsonList && kept.elements !== undefined) {
    const { elements } = kept
    budget.spend(opened.elements.length)
    opened.elements = opened.elements.flatMap((element) => sift(element, elements, budget) ?? [])
    return opened
  }
  return undefined
}

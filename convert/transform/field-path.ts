/** Stands in a path for each element of a list. */
export const EACH = Symbol('each element')

/** A name in an object. */
export interface FieldName {
  readonly text: string
  /** As JSON has it, with its quotes. */
  readonly json: string
}

/** Where a field is: through `lists`, which end at the last list of the path, then by names. */
export interface FieldPath {
  /** As it was given. */
  readonly text: string
  readonly lists: readonly (FieldName | typeof EACH)[]
  readonly names: readonly FieldName[]
  /** The lists and all of it, in one form, to compare. */
  readonly through: string
  readonly whole: string
}

/** Names and lists of a path: each costs a step of recursion. */
const PARTS_MAX = 16

const plainName = /[^.[\]"]+/y
const quotedName = /"(?:[^"\\]|\\.)*"/y

/** Reads a path such as `items[].sku`; answers in one sentence what is wrong with it. */
export function parsePath(text: string): FieldPath | string {
  const parts: (FieldName | typeof EACH)[] = []
  let at = 0
  while (at < text.length) {
    const isList = text.startsWith('[]', at)
    // After a name or a list comes `[]`, or a dot and a name; a dot may also be left out before the first of them.
    if (parts.length > 0 && !isList && text[at++] !== '.') return wrongAt(text, at - 1, "'.' or '[]'")
    if (isList) {
      parts.push(EACH)
      at += 2
    } else {
      const name = nameAt(text, at)
      if (name === undefined) return wrongAt(text, at, 'a name')
      parts.push({ text: name.text, json: JSON.stringify(name.text) })
      at = name.end
    }
  }
  if (parts.length === 0) return 'it is empty'
  if (parts.length > PARTS_MAX) return `it has ${parts.length} names and lists, at most ${PARTS_MAX} are allowed`
  const afterLists = parts.lastIndexOf(EACH) + 1
  return pathOf(text, parts.slice(0, afterLists), parts.slice(afterLists) as FieldName[])
}

/** A path as `text` would be read. */
export function pathOf(text: string, lists: FieldPath['lists'], names: readonly FieldName[]): FieldPath {
  const through = lists.map(partText).join('')
  return { text, lists, names, through, whole: through + names.map(partText).join('') }
}

function nameAt(text: string, at: number): { readonly text: string; readonly end: number } | undefined {
  if (text[at] !== '"') {
    plainName.lastIndex = at
    const [name] = plainName.exec(text) ?? []
    return name === undefined ? undefined : { text: name, end: at + name.length }
  }
  quotedName.lastIndex = at
  const [name] = quotedName.exec(text) ?? []
  try {
    return name === undefined ? undefined : { text: JSON.parse(name) as string, end: at + name.length }
  } catch {
    return undefined
  }
}

function wrongAt(text: string, at: number, expected: string): string {
  const found = at < text.length ? JSON.stringify(text[at]) : 'its end'
  return `at character ${at + 1} there must be ${expected}, and there is ${found}`
}

const partText = (part: FieldName | typeof EACH): string => (part === EACH ? '[]' : `.${part.json}`)

/** Whether the first is the second, or something that it is in. */
export function holds(outer: FieldPath, inner: FieldPath): boolean {
  if (!inner.whole.startsWith(outer.whole)) return false
  const next = inner.whole[outer.whole.length]
  return next === undefined || next === '.' || next === '['
}

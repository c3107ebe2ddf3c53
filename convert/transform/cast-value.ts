import { type Json, kindOf } from './json-tree.ts'

export type CastTarget = 'STRING' | 'NUMBER' | 'INTEGER' | 'BOOLEAN'

const numberForm = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/
const wholeForm = /^-?(?:0|[1-9]\d*)$/
const booleans: Readonly<Record<string, string>> = { true: 'true', false: 'false', '1': 'true', '0': 'false' }

/** How much of a value a sentence repeats. */
const SHOWN_MAX = 40

/** The value as the type, with its digits as they are; undefined where it has no form of it. Null stays null. */
export function castValue(value: Json, to: CastTarget): string | undefined {
  if (typeof value !== 'string' || value[0] === '{' || value[0] === '[') return undefined
  if (value === 'null') return value
  if (to === 'STRING') return value[0] === '"' ? value : `"${value}"`
  const text = value[0] === '"' ? (JSON.parse(value) as string) : value
  switch (to) {
    case 'NUMBER':
      return numberForm.test(text) ? text : undefined
    case 'INTEGER':
      return wholeForm.test(text) ? text : wholeOf(text)
    case 'BOOLEAN':
      return Object.hasOwn(booleans, text) ? booleans[text] : undefined
  }
}

/** `3.0` and `3e2` are whole numbers, too. */
function wholeOf(text: string): string | undefined {
  const number = numberForm.test(text) ? Number(text) : Number.NaN
  return Number.isSafeInteger(number) ? String(number) : undefined
}

/** Names a value that cannot be cast. */
export function shown(value: Json): string {
  if (typeof value !== 'string' || value[0] === '{' || value[0] === '[') return kindOf(value)
  return value.length <= SHOWN_MAX ? value : `${value.slice(0, SHOWN_MAX)}...`
}

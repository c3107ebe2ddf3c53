import { type CelEnv, type CelFunc, CelScalar, celEnv, celFunc, listType } from '@bufbuild/cel'
import { strings } from '@bufbuild/cel/ext'
import { RE2JS } from '@bufbuild/re2'
import { concatLists } from './cel-json.ts'

const { BOOL, DYN, STRING } = CelScalar
const LIST = listType(DYN)

/** Of CEL's extension for texts: those whose result is not longer than what they are given. */
const safeStrings = new Set(['charAt', 'indexOf', 'lastIndexOf', 'lowerAscii', 'upperAscii', 'split', 'substring', 'trim'])

/** Compiled patterns of one filter; a pattern that comes out of a record must not fill the memory. */
const PATTERNS_MAX = 100

/** Called in each round of a loop by a function that no expression can name; throws when there were too many. */
export const stepFunction = '@step'

/** What filters can call: CEL's standard library and text functions. Regular expressions are RE2's: their time is linear in the text. */
export function filterEnv(step: () => void, textCharsMax: number): CelEnv {
  const patterns = new Map<string, RE2JS>()
  const compile = (pattern: string): RE2JS => {
    const known = patterns.get(pattern)
    if (known !== undefined) return known
    if (patterns.size >= PATTERNS_MAX) patterns.clear()
    const compiled = RE2JS.compile(pattern)
    patterns.set(pattern, compiled)
    return compiled
  }
  const funcs: CelFunc[] = [
    ...strings.filter(({ name }) => safeStrings.has(name)),
    celFunc('_+_', [LIST, LIST], LIST, concatLists),
    celFunc('_+_', [STRING, STRING], STRING, (left, right) => {
      if (left.length + right.length > textCharsMax) throw new Error(`it makes a text of more than ${textCharsMax} characters`)
      return left + right
    }),
    celFunc(stepFunction, [BOOL], BOOL, (goesOn) => {
      step()
      return goesOn
    }),
  ]
  return celEnv({ funcs, re2: { compile } })
}

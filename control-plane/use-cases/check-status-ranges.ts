import { readStatusRanges } from './status-ranges.ts'
import { quote, type Violation } from './violation.ts'

/** Ranges of a list of the retry policy: the lower end first, from 200 up. */
export function checkStatusRanges(name: string, texts: readonly string[]): Violation[] {
  return readStatusRanges(texts).flatMap(({ text, first, last }) => {
    const field = `use_case.spec.retry.${name}[${texts.indexOf(text)}]`
    if (first > last) {
      const description = `${field} must have the lower status first; given ${quote(text)}, write "${last}-${first}"`
      return [{ field, description, reason: 'STATUS_RANGE' }]
    }
    if (first >= 200) return []
    const description = `${field} must be from 200 up, because a 1xx status never ends an answer; given ${quote(text)}`
    return [{ field, description, reason: 'STATUS_RANGE' }]
  })
}

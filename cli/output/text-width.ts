import { stripVTControlCharacters } from 'node:util'

const zero = /^[\p{Mn}\p{Me}\p{Cf}]$/u
/** What East Asian Width calls wide, in blocks, and pictures. */
const wide =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1f64f}\u{1f900}-\u{1f9ff}\u{20000}-\u{3fffd}]$/u

/** Columns that a terminal needs for it; colours need none. */
export function textWidth(text: string): number {
  if (/^[\x20-\x7e]*$/.test(text)) return text.length
  let width = 0
  for (const character of stripVTControlCharacters(text)) width += widthOf(character)
  return width
}

/** At most so many columns; what is cut ends in `…`. Only for text without colours. */
export function cut(text: string, widthMax: number): string {
  if (textWidth(text) <= widthMax) return text
  let width = 0
  let kept = ''
  for (const character of text) {
    width += widthOf(character)
    if (width > widthMax - 1) break
    kept += character
  }
  return `${kept}…`
}

const widthOf = (character: string): number => (zero.test(character) ? 0 : wide.test(character) ? 2 : 1)

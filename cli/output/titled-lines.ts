import type { Paints } from './paint.ts'

/** Indented lines with a title each, without those that say nothing. */
export const titledLines = (paint: Paints, lines: readonly (readonly string[])[]): string =>
  lines
    .filter(([, text]) => text !== '')
    .map(([title, text]) => `  ${paint.faint(title!.padEnd(8))}${text}\n`)
    .join('')
